import { isIPv6 } from 'node:net';
import { networkOf } from './addresses.ts';
import { bridge, type Instance, linksOf } from './instance.ts';
import { portMaps, remapCommands, targetsOf } from './port-maps.ts';
import type { Settings } from './settings.ts';

/** The one table that this program owns. */
export const table = 'inet oakestra';

/** The elements of the instances' links, which are in a set where every instance has a link of its own. */
const linkElements = (settings: Settings, instance: Instance): readonly string[] =>
  settings.topology === 'veth' ? [`element ${table} links { ${linksOf(instance).host} }`] : [];

/** The commands that make an instance's link known to the rules. */
export const addLinks = (settings: Settings, instance: Instance): readonly string[] =>
  linkElements(settings, instance).map((element) => `add ${element}`);

/** The commands that take an instance's link out of the rules. */
export const deleteLinks = (settings: Settings, instance: Instance): readonly string[] =>
  linkElements(settings, instance).map((element) => `delete ${element}`);

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
    ...portMaps.declarations.map((line) => `  ${line}`),
    '  set links { type ifname; }',
    ...chain('guard', [
      'type filter hook prerouting priority raw; policy accept;',
      'iifname @links ip daddr 127.0.0.0/8 drop',
      'iifname @links ip saddr 127.0.0.0/8 drop',
    ]),
    ...chain('mapped', portMaps.rules),
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
    ...instances.flatMap((instance) => addLinks(settings, instance)),
    ...remapCommands(
      table,
      [],
      instances.flatMap((instance) => targetsOf(settings, instance)),
    ),
  ];
};
