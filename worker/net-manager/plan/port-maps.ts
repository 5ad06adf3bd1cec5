import { addressAt } from './addresses.ts';
import type { Instance } from './instance.ts';
import type { Settings } from './settings.ts';

/** One host port of the node and where an instance wants its connections. */
export type Target = {
  readonly protocol: 'tcp' | 'udp';
  readonly host: number;
  readonly v4: string;
  readonly v6: string;
  readonly inner: number;
};

/** What an instance maps. */
export const targetsOf = (settings: Settings, { slot, ports }: Instance): readonly Target[] => {
  const { v4, v6 } = addressAt(settings.subnet, slot);
  return ports.map(({ host, inner, protocol }) => ({ protocol, host, v4, v6, inner }));
};

/** The name of a host port, in the maps and for people. */
export const portKey = ({ host, protocol }: Pick<Target, 'host' | 'protocol'>): string => `${host}/${protocol}`;

/**
 * Between so many equal parts the connections to a shared port are drawn by lot: a whole multiple of most numbers of
 * replicas, and more than a node has addresses for.
 */
const lots = 120;

const lot = `meta l4proto . th dport . numgen random mod ${lots}`;

/** The maps in the table, each with an address family's rule that uses it: ports of one instance, and of several. */
export const portMaps = {
  declarations: [
    'map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }',
    'map ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }',
    `map shared4 { typeof ${lot} : ip daddr . th dport; }`,
    `map shared6 { typeof ${lot} : ip6 daddr . th dport; }`,
  ],
  rules: [
    'dnat ip to meta l4proto . th dport map @ports4',
    'dnat ip6 to meta l4proto . th dport map @ports6',
    `dnat ip to ${lot} map @shared4`,
    `dnat ip6 to ${lot} map @shared6`,
  ],
} as const;

/** The elements that one host port needs, by the name of their map. */
const elementsOf = (targets: readonly Target[]): readonly (readonly [string, string])[] => {
  const [only, second] = targets;
  if (only === undefined) return [];
  const key = `${only.protocol} . ${only.host}`;
  if (second === undefined)
    return [
      ['ports4', `${key} : ${only.v4} . ${only.inner}`],
      ['ports6', `${key} : ${only.v6} . ${only.inner}`],
    ];
  const shares = Array.from({ length: lots }, (_, at) => [at, targets[at % targets.length] ?? only] as const);
  return [
    ['shared4', shares.map(([at, { v4, inner }]) => `${key} . ${at} : ${v4} . ${inner}`).join(', ')],
    ['shared6', shares.map(([at, { v6, inner }]) => `${key} . ${at} : ${v6} . ${inner}`).join(', ')],
  ];
};

const byPort = (targets: readonly Target[]): ReadonlyMap<string, readonly Target[]> => {
  const ordered = targets.toSorted((a, b) => (a.v4 < b.v4 ? -1 : 1));
  return Map.groupBy(ordered, portKey);
};

const same = (a: Target, b: Target): boolean => a.v4 === b.v4 && portKey(a) === portKey(b);

/** All targets once some come on top; each counts once. */
export const withTargets = (mapped: readonly Target[], more: readonly Target[]): readonly Target[] => [
  ...withoutTargets(mapped, more),
  ...more,
];

/** What is left of all targets without some. */
export const withoutTargets = (mapped: readonly Target[], fewer: readonly Target[]): readonly Target[] =>
  mapped.filter((target) => !fewer.some((one) => same(one, target)));

/** The commands that make the maps of `table` hold `after` where they hold `before`: ports that stay are not touched. */
export const remapCommands = (
  table: string,
  before: readonly Target[],
  after: readonly Target[],
): readonly string[] => {
  const [old, next] = [byPort(before), byPort(after)];
  return [...new Set([...old.keys(), ...next.keys()])].flatMap((port) => {
    const [gone, come] = [elementsOf(old.get(port) ?? []), elementsOf(next.get(port) ?? [])];
    if (JSON.stringify(gone) === JSON.stringify(come)) return [];
    return [
      ...gone.map(([map, elements]) => `delete element ${table} ${map} { ${elements} }`),
      ...come.map(([map, elements]) => `add element ${table} ${map} { ${elements} }`),
    ];
  });
};
