import type { Log } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import { type Contents, type Journal, withoutNode } from '../journal.ts';
import { acceptCommands } from '../plan/accepts.ts';
import { bridge, hostLinkMark, type Instance, namespaceOf } from '../plan/instance.ts';
import { hold, peerMark } from '../plan/overlay/names.ts';
import type { Plan } from '../plan/plan.ts';
import { type NodeState, planInstance, planNode, routeMark } from '../plan/planner.ts';
import type { Settings } from '../plan/settings.ts';
import { RequestError } from '../request-error.ts';
import { accept, legacyInUse, readFirewalls } from './accepts.ts';
import { applyParts, applyPlan, PlanFailed, undoPlan } from './apply.ts';
import { advertisedLinks, bridgeExists, linkNames, namespaceNames, readSysctl, writeSysctl } from './kernel.ts';
import { observe, settingsMatch, type Within } from './observe.ts';
import { isOverlaid, overlayFailure, overlayPart, prepareOverlay, removeOverlay, withoutLeftovers } from './overlay.ts';
import { renameBack } from './renamed.ts';
import { removeTable } from './rules.ts';
import { rememberRules } from './rules-seen.ts';

const valuesOf = (plan: Plan): readonly (readonly [string, string])[] =>
  plan.flatMap((step) => (step.tool === 'sysctl' ? Object.entries(step.values) : []));

const ourLinks = [bridge, hostLinkMark, peerMark, hold.near, hold.far];

const isOurs = (key: string): boolean => ourLinks.some((name) => key.includes(`/${name}`));

/** The kernel's name for this boot. */
export const bootId = async (): Promise<string> => (await readSysctl('kernel/random/boot_id')) ?? '';

/** Writes down the settings of the whole node that a plan will change, unless an earlier run did. */
const recordSettings = async (plan: Plan, journal: Journal): Promise<void> => {
  const changed = { ...journal.contents.changed };
  for (const [key, now] of valuesOf(plan)) {
    const was = await readSysctl(key);
    // What is set for our own links goes with them.
    if (was !== undefined && was !== now && !isOurs(key)) changed[key] ??= { was, now };
  }
  const boot = await bootId();
  await journal.update((contents) => ({ ...contents, boot, changed }));
};

const planBoard = (
  settings: Settings,
  journal: Journal,
  found: Pick<NodeState, 'advertised' | 'loopbackWithout6'>,
  standing: readonly Instance[],
) => [
  ...planNode(settings, { instances: journal.contents.entries.map(({ instance }) => instance), ...found }),
  ...standing.flatMap((instance) => planInstance(settings, instance)),
  ...overlayPart(settings, journal.contents, standing),
];

/** The instances that are whole or can be made whole: what runs in a namespace is lost with it. */
const split = async (contents: Contents) => {
  const instances = contents.entries.flatMap(({ instance, ready }) => (ready ? [instance] : []));
  const names = new Set(await namespaceNames());
  return Map.groupBy(instances, (instance) => (names.has(namespaceOf(instance)) ? 'standing' : 'lost'));
};

/** The instances of a journal that stand. */
export const standingInstances = async (contents: Contents): Promise<readonly Instance[]> =>
  (await split(contents)).get('standing') ?? [];

/** Firewalls of others know of the instances as long as there are any. */
const acceptedBy = (settings: Settings, { contents }: Journal): Settings | undefined =>
  contents.entries.length > 0 ? settings : undefined;

/** Has the firewalls of others accept the instances of a journal, or nothing any longer. Resolves to the failures. */
export const acceptInstances = (settings: Settings, journal: Journal): Promise<readonly string[]> =>
  accept(() => acceptedBy(settings, journal));

/** True when what tells nobody of its changes, iptables-legacy, accepts the instances. */
export const legacyIntact = async (settings: Settings, journal: Journal): Promise<boolean> =>
  !(await legacyInUse()) || acceptCommands(acceptedBy(settings, journal), await readFirewalls()).length === 0;

const look = async (settings: Settings, journal: Journal, within: Within) => {
  const [advertised, off, found, firewalls] = await Promise.all([
    advertisedLinks(),
    readSysctl('net/ipv6/conf/lo/disable_ipv6'),
    split(journal.contents),
    readFirewalls(),
  ]);
  const { standing = [], lost = [] } = Object.fromEntries(found);
  const plan = [
    ...planBoard(settings, journal, { advertised, loopbackWithout6: off === '1' }, standing),
    { tool: 'command', commands: acceptCommands(acceptedBy(settings, journal), firewalls) } as const,
  ];
  const observed = await observe(plan, within);
  return { lost, plan, repair: withoutLeftovers(settings, plan, observed) };
};

const renameStanding = async (journal: Journal): Promise<readonly string[]> =>
  renameBack(await standingInstances(journal.contents));

const setUp = async (
  settings: Settings,
  journal: Journal,
  signal: AbortSignal | undefined,
  trouble?: string,
): Promise<void> => {
  // By now the board may have been given back.
  signal?.throwIfAborted();
  if ((await readSysctl('net/ipv6/conf/all/forwarding')) === undefined)
    throw new RequestError(500, 'this kernel has no IPv6, and instances need it; boot it without ipv6.disable=1');
  await prepareOverlay(settings, journal, trouble);
  await renameStanding(journal);
  const { plan, repair } = await look(settings, journal, 'all');
  await recordSettings(repair.plan, journal);
  try {
    await applyPlan(repair.plan.filter(({ tool }) => tool !== 'command'));
  } catch (error) {
    if (error instanceof PlanFailed) await undoPlan(error.done);
    if (!isOverlaid(journal.contents)) throw error;
    // A node without overlay is of use, too.
    await setUp(settings, journal, signal, await overlayFailure(settings, error));
    return;
  }
  await rememberRules(plan);
  // What another program's firewall refuses to take is told with the next deployment.
  await acceptInstances(settings, journal);
};

/**
 * Makes the node's part of the network or completes what is there; running instances don't notice. Rejects when `signal`
 * has aborted before its turn.
 */
export const setUpNode = (settings: Settings, journal: Journal, signal?: AbortSignal): Promise<void> =>
  journal.lock.withWriteLock(() => setUp(settings, journal, signal));

/** What a look at the board found and did. */
export type Repaired = {
  /** What was not as it is to be, in words. */
  readonly missing: readonly string[];
  /** What of it is still not, and the failures that tell why. */
  readonly left: readonly string[];
  readonly failures: readonly string[];
  /** Instances whose namespaces are gone. */
  readonly lost: readonly Instance[];
};

/** Puts back what other programs changed of all that stands here. What is under way is waited for before anything is changed. */
export const repairNode = async (
  settings: Settings,
  journal: Journal,
  within: Within,
  signal: AbortSignal,
): Promise<Repaired> => {
  const seen = await look(settings, journal, within);
  const nothing = { missing: [], left: [], failures: [] };
  if (seen.repair.missing.length === 0 && seen.lost.length === 0) return { ...nothing, lost: [] };
  return await journal.lock.withWriteLock(async () => {
    // By now the board may have been given back.
    if (signal.aborted) return { ...nothing, lost: [] };
    const failures: string[] = [];
    const renamed = await renameStanding(journal).catch((error: unknown) => {
      failures.push((error as Error).message);
      return [];
    });
    const first = await look(settings, journal, within);
    if (first.repair.missing.length === 0) return { ...nothing, missing: renamed, lost: first.lost };
    let now = first;
    // What the kernel makes by itself of what was put back is seen by the second time.
    for (let round = 0; round < 2 && now.repair.missing.length > 0; round++) {
      const { plan } = now.repair;
      await recordSettings(plan, journal);
      failures.splice(0, failures.length, ...(await applyParts(plan)));
      if (plan.some(({ tool }) => tool === 'nft')) await rememberRules(now.plan);
      now = await look(settings, journal, within);
    }
    const missing = [...renamed, ...first.repair.missing];
    return { missing, left: now.repair.missing, failures, lost: now.lost };
  });
};

/** True when the settings of this board are what the instances need: a look that takes no process. */
export const settingsIntact = async (settings: Settings, journal: Journal): Promise<boolean> => {
  const steps = planBoard(settings, journal, { advertised: [] }, await standingInstances(journal.contents));
  return await settingsMatch(steps);
};

const tearDown = async (journal: Journal, log: Log): Promise<void> => {
  const attempt = async (what: string, work: Promise<unknown>) => {
    await work.catch((error: unknown) => log.warn(`${what}: ${(error as Error).message}`));
  };
  for (const failure of await accept(() => undefined))
    log.warn(`accept rules not removed from another program's firewall: ${failure}`);
  await attempt('rules not removed', removeTable());
  await attempt('overlay not removed', removeOverlay(await linkNames()));
  for (const family of ['-4', '-6'] as const)
    await attempt('routes not removed', run(['ip', family, 'route', 'flush', ...routeMark.split(' ')]));
  if (await bridgeExists()) await attempt('bridge not removed', run(['ip', 'link', 'del', bridge]));
  for (const [key, { was, now }] of Object.entries(journal.contents.changed))
    if ((await readSysctl(key)) === now) await attempt(`${key} not restored`, writeSysctl(key, was));
  await journal.update(withoutNode);
};

/** Gives the node back as it was found, as far as nobody else has changed it since. */
export const tearDownNode = (journal: Journal, log: Log): Promise<void> =>
  journal.lock.withWriteLock(() => tearDown(journal, log));
