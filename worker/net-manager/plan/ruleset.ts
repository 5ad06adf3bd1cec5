import { isIPv6 } from 'node:net';
import { addressAt, networkOf } from './addresses.ts';
import { bridge, type Instance, linksOf } from './instance.ts';
import type { Settings } from './settings.ts';

/** The one table that this program owns. */
export const table = 'inet oakestra';

/** The elements of an instance in the table's maps and sets, by the name of the map or set. */
const elementsOf = (settings: Settings, instance: Instance): readonly (readonly [string, string])[] => {
  const { v4, v6 } = addressAt(settings.subnet, instance.slot);
  const links = settings.topology === 'veth' ? [['links', linksOf(instance).host] as const] : [];
  return [
    ...links,
    ...instance.ports.flatMap(({ host, inner, protocol }) => [
      ['ports4', `${protocol} . ${host} : ${v4} . ${inner}`] as const,
      ['ports6', `${protocol} . ${host} : ${v6} . ${inner}`] as const,
    ]),
  ];
};

/** The commands that add an instance's elements. */
export const addElements = (settings: Settings, instance: Instance): readonly string[] =>
  elementsOf(settings, instance).map(([set, element]) => `add element ${table} ${set} { ${element} }`);

/** The commands that take an instance's elements out. */
export const deleteElements = (settings: Settings, instance: Instance): readonly string[] =>
  elementsOf(settings, instance).map(([set, element]) => `delete element ${table} ${set} { ${element} }`);

const egressRules = ({ egress }: Settings): readonly string[] => {
  if (egress === 'on') return [];
  const networks = egress === 'off' ? [] : egress;
  const isV6 = (network: string) => isIPv6(network.split('/')[0] ?? '');
  return [
    ...networks.map((network) => `${isV6(network) ? 'ip6' : 'ip'} daddr ${network} accept`),
    'reject with icmpx type admin-prohibited',
  ];
};

const chain = (name: string, lines: readonly string[]): readonly string[] => [
  `  chain ${name} {`,
  ...lines.map((line) => `    ${line}`),
  '  }',
];

/**
 * The whole table for a node and its instances, as one transaction that replaces what was there.
 *
 * Mapped ports match destinations that belong to this node only. `[::1]` stays out: the kernel never routes it to
 * another device, so a connection to it is refused instead of hanging. Packets for 127.0.0.0/8 that arrive from an
 * instance are dropped, because `route_localnet` would let them reach the board's loopback services. A node that
 * forwards would lead a neighbour with a route to every port of an instance: only mapped ones are open to others.
 */
export const ruleset = (settings: Settings, instances: readonly Instance[]): readonly string[] => {
  const { v4, v6 } = networkOf(settings.subnet);
  const out = settings.uplink === undefined ? 'oifname != @links' : `oifname "${settings.uplink}"`;
  const mapped = 'meta l4proto { tcp, udp } jump mapped';
  return [
    `table ${table} {}`,
    `delete table ${table}`,
    `table ${table} {`,
    '  map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  map ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }',
    '  set links { type ifname; }',
    ...chain('guard', [
      'type filter hook prerouting priority raw; policy accept;',
      'iifname @links ip daddr 127.0.0.0/8 drop',
      'iifname @links ip saddr 127.0.0.0/8 drop',
    ]),
    ...chain('mapped', [
      'dnat ip to meta l4proto . th dport map @ports4',
      'dnat ip6 to meta l4proto . th dport map @ports6',
    ]),
    ...chain('prerouting', [
      'type nat hook prerouting priority dstnat; policy accept;',
      `fib daddr type local ${mapped}`,
    ]),
    ...chain('output', [
      'type nat hook output priority -100; policy accept;',
      `ip6 daddr != ::1 fib daddr type local ${mapped}`,
      `meta nfproto ipv4 fib daddr type local ${mapped}`,
    ]),
    ...chain('postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `ip saddr ${v4} ${out} masquerade`,
      `ip6 saddr ${v6} ${out} masquerade`,
      `ct status dnat oifname @links ip saddr { 127.0.0.0/8, ${v4} } masquerade`,
      `ct status dnat oifname @links ip6 saddr ${v6} masquerade`,
    ]),
    ...chain('egress', egressRules(settings)),
    ...chain('forward', [
      'type filter hook forward priority filter; policy accept;',
      'iifname @links oifname != @links ct state { new, invalid, untracked } jump egress',
      'iifname != @links oifname @links ct status dnat accept',
      'iifname != @links oifname @links ct state { new, invalid, untracked } drop',
    ]),
    ...chain('input', [
      'type filter hook input priority filter; policy accept;',
      'iifname @links ct state { new, invalid, untracked } meta l4proto { tcp, udp } jump egress',
    ]),
    '}',
    ...(settings.topology === 'bridged' ? [`add element ${table} links { ${bridge} }`] : []),
    ...instances.flatMap((instance) => addElements(settings, instance)),
  ];
};
