import { isIPv6 } from 'node:net';
import { addressAt, neighboursIn } from './addresses.ts';
import { type Instance, trialLink } from './instance.ts';
import { packetsIn } from './json.ts';
import { ownTables, trialTable } from './ruleset.ts';
import type { Settings } from './settings.ts';

/** The names of all that a trial makes on a board, and removes. */
export const trialNames = {
  table: trialTable,
  namespace: 'oakestra-trial',
  link: trialLink,
  inner: 'oaktrial1',
} as const;

/** The neighbour that stands for other machines: addresses for documentation (RFC 5737, RFC 3849), of no real network. */
const ends = {
  v4: { board: '192.0.2.1', neighbour: '192.0.2.2', length: 30 },
  v6: { board: '2001:db8:6f61:6b::1', neighbour: '2001:db8:6f61:6b::2', length: 126 },
} as const;

/** A packet that is sent, and where it goes on to. */
export type Packet = {
  readonly way: 'to' | 'from';
  /** In words, for people. */
  readonly description: string;
  readonly source: string;
  /** Where it is sent to, and what a mapped port makes of that. */
  readonly sentTo: string;
  readonly target: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
};

/** The port of the discard protocol (RFC 863), for want of a mapped one. */
const discard = 9;

/** The packets to an instance: a port of each protocol that it has mapped, and of TCP where it has none. */
const mappedPorts = ({ ports }: Instance): readonly Pick<Packet, 'port' | 'protocol'>[] => {
  const found = (['tcp', 'udp'] as const).flatMap((protocol) => {
    const port = ports.find((each) => each.protocol === protocol)?.inner;
    return port === undefined ? [] : [{ port, protocol }];
  });
  return found.length > 0 ? found : [{ port: discard, protocol: 'tcp' }];
};

/**
 * The packets that try what instances need: one an address family as to a mapped port of either protocol, and one to an address in the
 * network of each interface that leads to other machines, unless `Egress` closes it. None of the latter leaves the
 * board. `addresses` are the board's, as facts.
 */
export const packetsFor = (
  settings: Settings,
  instance: Instance,
  outward: readonly string[],
  addresses: ReadonlySet<string>,
): readonly Packet[] => {
  const { v4, v6 } = addressAt(settings.subnet, instance.slot);
  const into = mappedPorts(instance).flatMap((port) =>
    [
      { source: ends.v4.neighbour, sentTo: ends.v4.board, target: v4 },
      { source: ends.v6.neighbour, sentTo: ends.v6.board, target: v6 },
    ].map((packet) => ({
      ...packet,
      ...port,
      way: 'to' as const,
      description: `from other machines to instances by ${port.protocol === 'udp' ? 'UDP over ' : ''}${isIPv6(packet.target) ? 'IPv6' : 'IPv4'}`,
    })),
  );
  const places = [...addresses].map((text) => text.split(' on '));
  const held = places.map(([address = '']) => address.split('/')[0]);
  const networks = Array.isArray(settings.egress)
    ? settings.egress.map((network: string) => ({ network, by: network }))
    : places
        .filter(([address = '', link = '']) => outward.includes(link) && !/^(169\.254\.|fe[89ab])/i.test(address))
        .map(([network = '', link = '']) => ({ network, by: link }));
  const outOf = networks.flatMap(({ network, by }) => {
    const target = neighboursIn(network).find((address) => !held.includes(address));
    if (target === undefined || settings.egress === 'off') return [];
    const [source, family] = isIPv6(target) ? [v6, 'IPv6'] : [v4, 'IPv4'];
    return [
      {
        way: 'from' as const,
        description: `from instances to ${by} by ${family}`,
        source,
        sentTo: target,
        target,
        port: discard,
        protocol: 'tcp' as const,
      },
    ];
  });
  return [...into, ...new Map(outOf.map((packet) => [packet.description, packet])).values()];
};

const family = (address: string) => (isIPv6(address) ? 'ip6' : 'ip');

/** The link to the neighbour, on the board's side and on the other, as lines for `ip -batch`. */
export const neighbourLines = {
  board: [
    `netns add ${trialNames.namespace}`,
    `link add name ${trialNames.link} type veth peer name ${trialNames.inner} netns ${trialNames.namespace}`,
    `addr add ${ends.v4.board}/${ends.v4.length} dev ${trialNames.link}`,
    `addr add ${ends.v6.board}/${ends.v6.length} dev ${trialNames.link} nodad`,
    `link set ${trialNames.link} up`,
  ],
  neighbour: [
    `addr add ${ends.v4.neighbour}/${ends.v4.length} dev ${trialNames.inner}`,
    `addr add ${ends.v6.neighbour}/${ends.v6.length} dev ${trialNames.inner} nodad`,
    `link set ${trialNames.inner} up`,
  ],
  gone: [`link del ${trialNames.link}`, `netns del ${trialNames.namespace}`],
} as const;

/**
 * The table that counts each packet when it begins to be forwarded and again when no chain at that hook has dropped it,
 * where it ends. What comes from the neighbour is led on as a mapped port does it, which our own table lets pass.
 */
export const trialRules = (packets: readonly Packet[]): readonly string[] => {
  const match = ({ source, target, port, protocol }: Packet) =>
    `${family(target)} saddr ${source} ${family(target)} daddr ${target} ${protocol} dport ${port}`;
  const rule = (chain: string, text: string) => `add rule ${trialNames.table} ${chain} ${text}`;
  return [
    `table ${trialNames.table} {}`,
    `delete table ${trialNames.table}`,
    `table ${trialNames.table} {`,
    ...packets.flatMap((_, at) => [`  counter begun${at} {}`, `  counter passed${at} {}`]),
    '  chain trace { type filter hook prerouting priority -350; policy accept; }',
    '  chain lead { type nat hook prerouting priority -110; policy accept; }',
    '  chain begun { type filter hook forward priority -400; policy accept; }',
    '  chain passed { type filter hook postrouting priority -400; policy accept; }',
    '}',
    ...packets.flatMap((packet, at) => [
      rule('trace', `${match({ ...packet, target: packet.sentTo })} meta nftrace set 1`),
      ...(packet.way === 'to'
        ? [
            rule(
              'lead',
              `${match({ ...packet, target: packet.sentTo })} dnat ${family(packet.target)} to ${packet.target}`,
            ),
          ]
        : []),
      rule('begun', `${match(packet)} counter name begun${at}`),
      rule('passed', `${match(packet)} counter name passed${at} drop`),
    ]),
  ];
};

/**
 * What the answer to a trial depends on: the rules of others, from the output of `nft -s list ruleset`, and the packets.
 * The same for instances that differ in nothing but their addresses, unless a rule names one of those.
 */
export const trialKey = (rules: string, packets: readonly Packet[], instance: readonly string[]): string => {
  const tables = rules
    .split(/^(?=table )/m)
    .filter((text) => !ownTables.some((name) => text.startsWith(`table ${name} {`)));
  const others = tables.join('');
  const isNamed = instance.some((address) => others.includes(address));
  const hide = (address: string) => (!isNamed && instance.includes(address) ? 'the instance' : address);
  return JSON.stringify([
    others,
    packets.map((packet) => ({ ...packet, source: hide(packet.source), target: hide(packet.target) })),
  ]);
};

/** The packets that were stopped on their way through the board, from the output of `nft -j list counters`. */
export const stoppedOf = (packets: readonly Packet[], json: unknown): readonly Packet[] => {
  const counted = packetsIn([json]);
  return packets.filter((_, at) => (counted.get(`begun${at}`) ?? 0) > 0 && !counted.get(`passed${at}`));
};

/** True when every packet has been counted at its end. */
export const allPassed = (packets: readonly Packet[], json: unknown): boolean =>
  stoppedOf(packets, json).length === 0 && packets.every((_, at) => JSON.stringify(json).includes(`passed${at}`));

/** Where a packet was dropped. */
export type Dropped = {
  /** `family table chain` */
  readonly chain: string;
  /** The rule as nft writes it, or its handle where nft did not know it; neither for the chain's policy. */
  readonly rule?: string;
  readonly handle?: number;
};

/** Reads the output of `nft monitor trace`: where the packets to an address, from another, were dropped. */
export const readTrace = (text: string, { source, target, sentTo, port, protocol }: Packet): Dropped | undefined => {
  const lines = text.split('\n').flatMap((line) => {
    const found = /^trace id (?<id>\S+) (?<table>\S+ \S+) (?<chain>\S+) (?<event>.*)$/.exec(line.trim())?.groups;
    return found
      ? [{ id: found['id'], table: found['table'] ?? '', chain: found['chain'] ?? '', event: found['event'] ?? '' }]
      : [];
  });
  const isIt = (event: string) =>
    event.includes(` saddr ${source} `) &&
    [target, sentTo].some((address) => event.includes(` daddr ${address} `)) &&
    `${event} `.includes(` ${protocol} dport ${port} `);
  const ids = new Set(lines.filter(({ event }) => event.startsWith('packet:') && isIt(event)).map(({ id }) => id));
  for (const { id, table, chain, event } of lines) {
    if (!ids.has(id) || ownTables.includes(table)) continue;
    const name = `${table} ${chain}`;
    if (/^policy drop/.test(event)) return { chain: name };
    const handle = /^unknown rule handle (?<handle>\d+) \(verdict drop\)/.exec(event)?.groups?.['handle'];
    if (handle !== undefined) return { chain: name, handle: Number(handle) };
    const rule = /^rule (?<rule>.*) \(verdict drop\)$/.exec(event)?.groups?.['rule'];
    if (rule !== undefined) return { chain: name, rule };
  }
  return undefined;
};

/** What a user is told of packets that were stopped, and by whom. */
export const stoppedText = (stopped: readonly (Packet & { readonly by: string })[]): readonly string[] =>
  [...Map.groupBy(stopped, ({ by }) => by)].map(
    ([by, packets]) =>
      `${packets.map(({ description }) => description).join(', ')}: packets are dropped by ${by}; accept them there`,
  );
