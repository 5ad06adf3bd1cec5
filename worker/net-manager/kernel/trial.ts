import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../../system/run.ts';
import { spawn } from '../../system/spawn.ts';
import type { Firewalls } from '../plan/accepts.ts';
import { addressAt } from '../plan/addresses.ts';
import { readOutward } from '../plan/foreign.ts';
import { type Instance, namespaceOf } from '../plan/instance.ts';
import { readLinks } from '../plan/observed.ts';
import type { Settings } from '../plan/settings.ts';
import {
  allPassed,
  type Dropped,
  neighbourLines,
  type Packet,
  packetsFor,
  readTrace,
  stoppedOf,
  stoppedText,
  trialKey,
  trialNames,
  trialRules,
} from '../plan/trial.ts';
import { ipBatch } from './ip.ts';
import { nftBatch } from './rules.ts';

/** Milliseconds: how long a packet may take through the board, and how often one is sent while nft tells its way. */
const patience = { packet: 500, step: 20, traced: 400, traces: 8 } as const;

/** Takes away what a trial with packets made, also one that was killed. */
export const clearTrial = async (): Promise<void> => {
  await Promise.all([
    ipBatch(neighbourLines.gone, ['-force']).catch(() => undefined),
    nftBatch([`table ${trialNames.table} {}`, `delete table ${trialNames.table}`]),
  ]);
};

const join = async (): Promise<void> => {
  // A board whose links have no IPv6 is tried with IPv4.
  await ipBatch(neighbourLines.board, ['-force']).catch(() => undefined);
  await ipBatch(neighbourLines.neighbour, ['-n', trialNames.namespace, '-force']).catch(() => undefined);
};

/** Begins connections, sends datagrams and leaves: the kernel has sent the first packets by then. */
const script = `
const { connect } = require("node:net");
const { createSocket } = require("node:dgram");
const ignore = () => {};
for (const each of process.argv.slice(1)) {
  const [protocol, port, host] = each.split("@");
  if (protocol === "tcp") connect(port, host).on("error", ignore);
  else createSocket(host.includes(":") ? "udp6" : "udp4").on("error", ignore).send("", Number(port), host, ignore);
}
setTimeout(() => process.exit(), 20);
`;

const sendFrom = async (namespace: string, packets: readonly Packet[]): Promise<void> => {
  if (packets.length === 0) return;
  const targets = packets.map(({ protocol, port, sentTo }) => `${protocol}@${port}@${sentTo}`);
  const inside: [string, ...string[]] = ['nsenter', `--net=/run/netns/${namespace}`, '--', process.execPath];
  // An instance may be gone by now; then nothing is sent, and nothing counted.
  await run([...inside, '-e', script, ...targets]).catch(() => undefined);
};

const send = async (instance: Instance, packets: readonly Packet[]): Promise<void> => {
  await Promise.all([
    sendFrom(
      trialNames.namespace,
      packets.filter(({ way }) => way === 'to'),
    ),
    sendFrom(
      namespaceOf(instance),
      packets.filter(({ way }) => way === 'from'),
    ),
  ]);
};

const counters = async (): Promise<unknown> =>
  JSON.parse(await run(['nft', '-j', 'list', 'counters', 'table', ...trialNames.table.split(' ')]));

/** Sends packets and resolves to those that were stopped. */
const attempt = async (instance: Instance, packets: readonly Packet[]): Promise<readonly Packet[]> => {
  await send(instance, packets);
  const began = performance.now();
  let seen = await counters();
  while (!allPassed(packets, seen) && performance.now() - began < patience.packet) {
    await delay(patience.step);
    seen = await counters();
  }
  return stoppedOf(packets, seen);
};

/** Sends packets again and again until nft has told where each was dropped, or does not tell. */
const trace = async (instance: Instance, packets: readonly Packet[]): Promise<ReadonlyMap<Packet, Dropped>> => {
  const found = new Map<Packet, Dropped>();
  const child = spawn('nft', ['monitor', 'trace'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    let text = '';
    child.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    // It does not say when it begins to listen.
    for (let round = 0; round < patience.traces && found.size < packets.length; round++) {
      await send(instance, packets);
      await delay(patience.traced);
      for (const packet of packets) {
        const dropped = readTrace(text, packet);
        if (dropped) found.set(packet, dropped);
      }
    }
  } finally {
    child.kill('SIGKILL');
  }
  return found;
};

/** The rule with a handle, as nft lists it. */
const ruleWith = async (chain: string, handle: number): Promise<string> => {
  const listed = await run(['nft', '-s', '-a', 'list', 'chain', ...chain.split(' ')]).catch(() => '');
  const line = listed.split('\n').find((each) => each.endsWith(` # handle ${handle}`));
  return line?.replace(/ # handle \d+$/, '').trim() ?? `handle ${handle}`;
};

const nameOf = async (dropped: Dropped | undefined, legacy: readonly string[]): Promise<string> => {
  // nft tells nothing of the rules of iptables-legacy.
  if (!dropped) return legacy.length > 0 ? legacy.join(' or ') : 'something that nft does not tell of';
  const { chain, rule, handle } = dropped;
  const text = handle === undefined ? rule : await ruleWith(chain, handle);
  return `${chain} (${text === undefined ? 'policy drop' : `rule: ${text.trim()}`})`;
};

/** Another program's rules may be such that nft cannot list them. */
const listRules = async (): Promise<string | undefined> => run(['nft', '-s', 'list', 'ruleset']).catch(() => undefined);

const tryPackets = async (
  instance: Instance,
  packets: readonly Packet[],
  { others }: Firewalls,
): Promise<readonly string[]> => {
  try {
    await Promise.all([join(), nftBatch(trialRules(packets))]);
    const stopped = await attempt(instance, packets);
    if (stopped.length === 0) return [];
    const dropped = await trace(instance, stopped);
    const legacy = others.filter((name) => /^ip6?tables/.test(name));
    const named = await Promise.all(
      stopped.map(async (packet) => ({ ...packet, by: await nameOf(dropped.get(packet), legacy) })),
    );
    const sentences = stoppedText(named);
    return sentences;
  } finally {
    await clearTrial();
  }
};

/** Resolves to sentences that tell what drops what an instance needs. */
export type Trial = (settings: Settings, instance: Instance, firewalls: Firewalls) => Promise<readonly string[]>;

/**
 * Tries with packets whether the firewalls of other programs let through what an instance needs, and tells in sentences
 * which chain drops it. An instance notices nothing, no packet leaves the board, and nothing is left behind. What was
 * found is told again as long as the rules are the same; those of legacy iptables are tried each time.
 */
export const forwardingTrial = (): Trial => {
  let known: { readonly key: string; readonly found: readonly string[] } | undefined;
  return async (settings, instance, firewalls) => {
    const isLegacy = firewalls.others.some((name) => /^ip6?tables/.test(name));
    const [listed, rules] = await Promise.all([
      run(['ip', '-j', '-d', 'addr', 'show']).then((text): unknown => JSON.parse(text)),
      isLegacy ? undefined : listRules(),
    ]);
    const packets = packetsFor(settings, instance, readOutward(listed), readLinks(listed).addresses);
    const { v4, v6 } = addressAt(settings.subnet, instance.slot);
    const key = rules === undefined ? undefined : trialKey(rules, packets, [v4, v6]);
    if (key !== undefined && known?.key === key) return known.found;
    const found = await tryPackets(instance, packets, firewalls);
    known = key === undefined ? undefined : { key, found };
    return found;
  };
};
