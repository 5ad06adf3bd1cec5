import { type CommandFailed, run } from '../../system/run.ts';
import type { Contents, Journal } from '../journal.ts';
import type { Instance } from '../plan/instance.ts';
import { factText, type Observed } from '../plan/observed.ts';
import { type DesiredOverlay, desiredOverlayOf } from '../plan/overlay/desired.ts';
import { hold, overlayTable, peerMark, wireTable } from '../plan/overlay/names.ts';
import { leftoversOf, planOverlay } from '../plan/overlay/plan.ts';
import { overlayRules } from '../plan/overlay/ruleset.ts';
import type { Plan } from '../plan/plan.ts';
import { type Repair, repairPlan } from '../plan/repair.ts';
import type { Settings } from '../plan/settings.ts';
import { ipBatch } from './ip.ts';
import { linkNames } from './kernel.ts';
import { observeReceivers } from './observe.ts';
import { nftBatch } from './rules.ts';

/** What the overlay of a node needs of its kernel: a trial, and the options that a kernel is built with for it. */
type Need = {
  readonly ability: string;
  readonly options: string;
  readonly attempt: (settings: Settings) => Promise<void>;
};

const trial = `${peerMark}try`;

/** Loading modules takes its time on a busy board. */
const patienceMs = 60_000;

/** What is tried before anything is made. */
const links: readonly Need[] = [
  {
    ability: 'take packets out of datagrams',
    options: 'CONFIG_NET_FOU',
    attempt: async ({ tunnelPort }) => {
      // No kernel loads this module by itself; where it is built in, or there is no modprobe, nothing is lost.
      await run(['modprobe', 'fou'], { timeoutMs: patienceMs }).catch(() => undefined);
      if (!(await observeReceivers()).has(tunnelPort)) await run(['ip', 'fou', 'add', 'port', `${tunnelPort}`, 'gue']);
    },
  },
  {
    ability: 'send packets in datagrams',
    options: 'CONFIG_IPV6_SIT and CONFIG_NET_FOU_IP_TUNNELS',
    attempt: async ({ tunnelPort }) => {
      // An address for documentation (RFC 5737); nothing is sent.
      const link = `link add name ${trial} type sit mode any remote 192.0.2.1 encap fou encap-dport ${tunnelPort}`;
      await ipBatch([link, `link del ${trial}`], [], { timeoutMs: patienceMs });
    },
  },
];

/** What is tried when the overlay could not be made: its rules are many. */
const rules: Need = {
  ability: 'translate service addresses',
  options:
    'CONFIG_NF_CONNTRACK_ZONES, CONFIG_NFT_NUMGEN, CONFIG_NFT_HASH, CONFIG_NFT_LIMIT, CONFIG_NFT_FIB_INET, CONFIG_NFT_REJECT_INET and CONFIG_NFT_DUP_IPV4',
  attempt: async (settings) => {
    // The rules name a link that is to be there: any one will do for a check.
    const input = overlayRules(settings).join('\n').replaceAll(hold.near, 'lo');
    await run(['nft', '-c', '-f', '-'], { input, timeoutMs: patienceMs });
  },
};

const isForbidden = (reason: string): boolean => /not permitted/i.test(reason);
const isTaken = (reason: string): boolean => /in use/i.test(reason);

const sentence = ({ ability, options }: Need, { tunnelPort }: Settings, error: unknown): string => {
  const reason = (error as CommandFailed).message.split('\n')[0] ?? '';
  const advice = isForbidden(reason)
    ? 'it is allowed to the real root only, not in a user namespace'
    : isTaken(reason)
      ? `another program has UDP port ${tunnelPort}; stop it, or set TunnelPort of tuncfg.json`
      : `it needs a kernel with ${options}`;
  return `no overlay, services of other boards cannot be reached: this kernel does not ${ability}: ${advice} (${reason})`;
};

/** Why this kernel cannot carry the overlay; undefined when it can. Nothing but the receiver is left behind. */
const overlayTrouble = async (settings: Settings, needs: readonly Need[]): Promise<string | undefined> => {
  for (const need of needs)
    try {
      await need.attempt(settings);
    } catch (error) {
      await ipBatch([`fou del port ${settings.tunnelPort}`, `link del ${trial}`], ['-force']).catch(() => undefined);
      return sentence(need, settings, error);
    }
  return undefined;
};

/** Why a node's network could not be made with its overlay, in a sentence. */
export const overlayFailure = async (settings: Settings, error: unknown): Promise<string> =>
  (await overlayTrouble(settings, [rules])) ??
  `no overlay, services of other boards cannot be reached: ${(error as Error).message}`;

/** True when a node has an overlay, by its journal. */
export const isOverlaid = ({ overlay }: Contents): boolean => overlay !== undefined && overlay.trouble === undefined;

/** What a node's overlay is to hold for some of its instances, by its journal. */
export const desiredByJournal = (
  settings: Settings,
  { overlay }: Contents,
  instances: readonly Instance[],
): DesiredOverlay => desiredOverlayOf(settings, overlay?.services ?? [], instances);

/** The overlay's part of a node's plan, empty where there is none. */
export const overlayPart = (settings: Settings, contents: Contents, instances: readonly Instance[]): Plan =>
  isOverlaid(contents) ? planOverlay(settings, desiredByJournal(settings, contents, instances)) : [];

/** Removes what of the overlay stands on a board with these links. Routes and rules go with them or by themselves. */
export const removeOverlay = async (links: readonly string[]): Promise<void> => {
  const ours = links.filter((name) => name.startsWith(peerMark) || name === hold.near);
  const receivers = [...(await observeReceivers())];
  const commands = [
    ...ours.map((name) => `link del ${name}`),
    ...(ours.includes(hold.near) ? receivers.map((port) => `fou del port ${port}`) : []),
  ];
  if (commands.length > 0) await ipBatch(commands, ['-force']);
  await nftBatch([overlayTable, wireTable].flatMap((name) => [`table ${name} {}`, `delete table ${name}`]));
};

/**
 * Tries what the overlay needs and writes down how that went, with what is known of services. A `trouble` that is known
 * already is not tried again.
 */
export const prepareOverlay = async (settings: Settings, journal: Journal, trouble?: string): Promise<void> => {
  const { overlay } = journal.contents;
  const isOff = settings.overlay === 'off';
  if (isOff && overlay === undefined) return;
  const found = isOff ? undefined : (trouble ?? (await overlayTrouble(settings, links)));
  await journal.update(({ overlay: _, ...rest }) => ({
    ...rest,
    ...(!isOff && { overlay: { services: overlay?.services ?? [], ...(found !== undefined && { trouble: found }) } }),
  }));
  if (overlay !== undefined && (isOff || found !== undefined)) await removeOverlay(await linkNames());
};

/** What is left of a plan to be done, and to be taken away of what the overlay of a killed process left. */
export const withoutLeftovers = (settings: Settings, plan: Plan, observed: Observed): Repair => {
  const repair = repairPlan(plan, observed);
  const changes = leftoversOf(settings, plan, observed);
  if (changes.length === 0) return repair;
  return {
    plan: [...repair.plan, { tool: 'ip', changes }],
    missing: [...repair.missing, ...changes.map(({ is }) => factText(is))],
  };
};
