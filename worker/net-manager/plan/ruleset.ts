import { isIPv6 } from 'node:net';
import { networkOf } from './addresses.ts';
import { bridge, type Instance, linksOf } from './instance.ts';
import { hold, overlayTable, peerMark, wireTable } from './overlay/names.ts';
import { portMaps, remapCommands, targetsOf } from './port-maps.ts';
import type { Settings } from './settings.ts';

/** The one table that this program keeps. */
export const table = 'inet oakestra';

/** A table that is there while packets are sent to try the firewalls of others. */
export const trialTable = 'inet oakestra_trial';

/** The tables of this program: no firewall of somebody else's. */
export const ownTables: readonly string[] = [table, trialTable, overlayTable, wireTable];

/** The elements of the instances' links, which are in a set where every instance has a link of its own. */
const linkElements = (settings: Settings, instance: Instance): readonly string[] =>
  settings.topology === 'veth' ? [`element ${table} links { ${linksOf(instance).host} }`] : [];

/** The commands that make an instance's link known to the rules. */
export const addLinks = (settings: Settings, instance: Instance): readonly string[] =>
  linkElements(settings, instance).map((element) => `add ${element}`);

/** The commands that take an instance's link out of the rules. */
export const deleteLinks = (settings: Settings, instance: Instance): readonly string[] =>
  linkElements(settings, instance).map((element) => `delete ${element}`);

const isV6 = (network: string): boolean => isIPv6(network.split('/')[0] ?? '');

/** The link-local networks and the addresses at which clouds tell their machines' secrets. */
const linkLocal = ['169.254.0.0/16', '100.100.100.200', '168.63.129.16', 'fe80::/10', 'fd00:ec2::254', 'fd20:ce::254'];

const refuse = 'reject with icmpx type admin-prohibited';

/** A rule a family for the networks of that family. */
const towards = (networks: readonly string[], verdict: string): readonly string[] =>
  Object.entries(Object.groupBy(networks, (network) => (isV6(network) ? 'ip6' : 'ip'))).map(
    ([family, of]) => `${family} daddr { ${of.join(', ')} } ${verdict}`,
  );

/** Whether instances may open connections to others: what is closed unless it is asked for comes first. */
const egressRules = ({ egress, access, cluster }: Settings): readonly string[] => {
  const listed = typeof egress === 'string' ? [] : egress;
  const isNamed = (network: string) => /^(169\.254\.|fe[89ab])/i.test(network) || linkLocal.includes(network);
  return [
    // A port of the board's that another program has mapped elsewhere.
    ...(access.includes('board') ? [] : [`ct status dnat ${refuse}`]),
    ...(access.includes('cluster')
      ? []
      : towards(cluster.addresses, `meta l4proto { tcp, udp } th dport { ${cluster.ports.join(', ')} } ${refuse}`)),
    ...listed.filter(isNamed).flatMap((network) => towards([network], 'accept')),
    ...(access.includes('link-local') ? [] : towards(linkLocal, refuse)),
    ...listed.flatMap((network) => towards([network], 'accept')),
    ...(egress === 'on' ? [] : [refuse]),
  ];
};

/** What instances may reach on the board itself: the gateway's answers that a link needs, and its name server. */
const boardRules = ({ egress, access }: Settings): readonly string[] => [
  // ICMP and ICMPv6 by number: a board without /etc/protocols knows the name of neither
  'meta l4proto { 1, 58 } return',
  ...(access.includes('board') ? ['return'] : []),
  ...(egress === 'off' ? [] : ['meta l4proto { tcp, udp } th dport 53 return']),
  refuse,
];

/** What the overlay's own table lets pass, whatever `Egress` says. */
const overlayAccepts: readonly string[] = [
  `iifname "${peerMark}*" oifname @links accept`,
  `iifname "${hold.far}" accept`,
  ...[`"${peerMark}*"`, `"${hold.near}"`].map((link) => `iifname @links oifname ${link} accept`),
];

/** A chain in a table's text. */
export const chain = (name: string, lines: readonly string[]): readonly string[] => [
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
      'ip daddr 127.0.0.0/8 iifname @links drop',
      'ip saddr 127.0.0.0/8 iifname @links drop',
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
    ...chain('board', boardRules(settings)),
    ...chain('forward', [
      'type filter hook forward priority filter; policy accept;',
      // As good as all: what follows is about connections that begin.
      'ct state established,related accept',
      ...(settings.overlay === 'off' ? [] : overlayAccepts),
      'iifname @links oifname != @links ct state { new, invalid, untracked } jump egress',
      'iifname != @links oifname @links ct status dnat accept',
      'iifname != @links oifname @links ct state { new, invalid, untracked } drop',
    ]),
    ...chain('input', [
      'type filter hook input priority filter; policy accept;',
      'ct state new,invalid,untracked iifname @links jump board',
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
