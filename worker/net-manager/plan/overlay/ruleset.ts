import { addressAt, familyOf } from '../addresses.ts';
import { chain } from '../ruleset.ts';
import type { Settings } from '../settings.ts';
import { divisions } from './desired.ts';
import { hold, instanceLinks, overlayTable, peerMark, wireTable } from './names.ts';

/** What is counted: packets that were dropped or refused, by reason, and those that were held. */
export const counters = [
  /** An inner source that is not the sender's, or of an instance whose own address is not known. */
  'forged',
  /** An inner destination that is not here, or a way through this node that is none. */
  'foreign',
  /** No datagram of the overlay: too short, no IP packet, neither TCP nor UDP. */
  'malformed',
  /** What this node's own instances sent and another node sent back. */
  'looping',
  /** Beyond what is held for unknown addresses. */
  'flooded',
  /** To addresses that the cluster knows nothing of, or that are gone. */
  'refused',
  /** To addresses that instances may not call. */
  'closed',
  /** Let wait for the cluster's answer. */
  'held',
] as const;

/** The counters of the datagrams themselves; `strangers` come from nodes that are not known, `waiting` is held. */
export const wireCounters = ['malformed', 'strangers', 'waiting', 'flooded'] as const;

/** Sets that packets fill, or that empty themselves: what they hold is nobody's to keep. */
const passing = 'flags dynamic,timeout; timeout 6s;';

/** How many addresses and other nodes are asked after at a time, and how many of them for one instance or node. */
const pace = 'limit rate over 8/second burst 16 packets';
const most = 128;

type Family = {
  readonly name: 4 | 6;
  readonly type: 'ipv4_addr' | 'ipv6_addr';
  readonly ip: 'ip' | 'ip6';
  readonly range: string;
};

const familiesOf = ({ services }: Settings): readonly Family[] => {
  const range = (family: 4 | 6) => `{ ${services.filter((network) => familyOf(network) === family).join(', ')} }`;
  return [
    { name: 4, type: 'ipv4_addr', ip: 'ip', range: range(4) },
    { name: 6, type: 'ipv6_addr', ip: 'ip6', range: range(6) },
  ];
};

const setsOf = ({ name, type, ip }: Family): readonly string[] => [
  `set known${name} { type ${type}; counter; }`,
  `set own${name} { type ${type}; }`,
  `set peers${name} { type ifname . ${type}; }`,
  `set refused${name} { type ${type}; flags timeout; }`,
  `set asking${name} { type ${type}; size ${most}; ${passing} }`,
  `set pace${name} { type ${type}; size ${most}; ${passing} }`,
  `map instances${name} { type ${type} : ${type}; }`,
  `map inner${name} { type ${type} : ${type}; }`,
  `map pick${name} { type ${type} : verdict; }`,
  `map choices${name} { typeof ${ip} daddr . numgen random mod 960 : ${ip} daddr; }`,
];

const drop = (counter: (typeof counters)[number]): string => `counter name ${counter} drop`;

/** From another node: its instance's own address is the source, the namespace's address of an instance here the destination. */
const arriving = ({ name, ip, range }: Family): readonly string[] => [
  `${ip} saddr != ${range} ${drop('forged')}`,
  `${ip} saddr @own${name} ${drop('looping')}`,
  `iifname . ${ip} saddr != @peers${name} ${drop('forged')}`,
  `${ip} daddr ${range} ${drop('foreign')}`,
  `${ip} daddr set ${ip} daddr map @instances${name}`,
  `${ip} daddr != ${range} ${drop('foreign')}`,
];

/** From an instance here: its own address becomes the source. What nobody knows is held, so many at a time. */
const leaving = ({ name, ip, range }: Family): readonly string[] => [
  `meta l4proto != { tcp, udp } ${drop('malformed')}`,
  `${ip} saddr ${range} ${drop('forged')}`,
  `${ip} saddr set ${ip} saddr map @instances${name}`,
  `${ip} saddr ${range} ${ip} daddr @known${name} accept`,
  `${ip} daddr @refused${name} notrack accept`,
  `${ip} daddr @known${name} ${drop('forged')}`,
  `update @pace${name} { ${ip} saddr ${pace} } ${drop('flooded')}`,
  `update @asking${name} { ${ip} daddr } counter name held notrack accept`,
  drop('flooded'),
];

/** What was held and is let go comes in once more. */
const released = ({ name, ip, range }: Family): readonly string[] => [
  `${ip} saddr != ${range} ${ip} saddr set ${ip} saddr map @instances${name}`,
  `${ip} saddr ${range} ${ip} daddr @known${name} accept`,
  `${ip} daddr @refused${name} notrack accept`,
  drop('flooded'),
];

const closing = ({ overlay }: Settings, { ip, name, range }: Family, from: string): readonly string[] => {
  if (typeof overlay === 'string') return [];
  const open = overlay.filter((network) => familyOf(network) === name);
  const others = open.length > 0 ? `${ip} daddr != { ${open.join(', ')} } ` : '';
  return [
    `iifname ${from} ${ip} daddr ${range} ${others}ct state new counter name closed reject with icmpx type admin-prohibited`,
  ];
};

/** The table of the datagrams: bare IP packets of other nodes only, from instances that are known to be on that node. */
const wire = (settings: Settings): readonly string[] => [
  `table ${wireTable} {`,
  ...wireCounters.map((name) => `  counter ${name} { }`),
  '  set nodes { type ipv4_addr; }',
  '  set senders4 { typeof ip saddr . @th,160,32; }',
  '  set senders6 { typeof ip saddr . @th,128,128; }',
  `  set claims4 { typeof ip saddr . @th,160,32; size ${most}; ${passing} }`,
  `  set claims6 { typeof ip saddr . @th,128,128; size ${most}; ${passing} }`,
  `  set strangers { type ipv4_addr; size ${most}; ${passing} }`,
  ...chain('prerouting', [
    'type filter hook prerouting priority -390; policy accept;',
    // Let go, a datagram is for this node again, whichever of its addresses it was sent to.
    `iifname "${hold.far}" udp dport ${settings.tunnelPort} ip daddr set ${addressAt(settings.subnet, 1).v4}`,
    `udp dport ${settings.tunnelPort} fib daddr type local goto datagram`,
  ]),
  ...chain('datagram', [
    `iifname ${instanceLinks(settings)} counter name strangers drop`,
    'udp length < 28 counter name malformed drop',
    // The first bits of GUE tell a header of its own from a bare packet (draft-ietf-intarea-gue, 3.1); only bare ones are the overlay's.
    '@th,64,4 != { 4, 6 } counter name malformed drop',
    '@th,64,4 4 ip saddr . @th,160,32 @senders4 accept',
    '@th,64,4 6 ip saddr . @th,128,128 @senders6 accept',
    // Let go, and still not of an instance that is known to be there: of a known node it is dropped as a forged packet.
    `iifname "${hold.far}" ip saddr @nodes accept`,
    `iifname "${hold.far}" counter name strangers drop`,
    `update @strangers { ip saddr ${pace} } counter name flooded drop`,
    '@th,64,4 4 update @claims4 { ip saddr . @th,160,32 } goto unknown',
    '@th,64,4 6 update @claims6 { ip saddr . @th,128,128 } goto unknown',
    'counter name flooded drop',
  ]),
  // The datagram waits, whole, as if for its sender to answer on that link: the kernel says then who is missed.
  ...chain('unknown', [`counter name waiting ip daddr set ip saddr dup to ip saddr device "${hold.near}" drop`]),
  '}',
];

/**
 * The tables of the overlay without what their sets and maps hold, as one transaction that replaces what was there.
 *
 * Addresses are rewritten before connections are tracked and after NAT, so both directions of a connection carry
 * instances' own addresses and are one connection on both nodes. A first packet that is held is not tracked: its
 * connection would keep "no translation" for good.
 */
export const overlayRules = (settings: Settings): readonly string[] => {
  const families = familiesOf(settings);
  const each = (lines: (family: Family) => readonly string[]) => families.flatMap((family) => lines(family));
  const from = instanceLinks(settings);
  return [
    ...[overlayTable, wireTable].flatMap((name) => [`table ${name} {}`, `delete table ${name}`]),
    `table ${overlayTable} {`,
    ...counters.map((name) => `  counter ${name} { }`),
    ...each(setsOf).map((line) => `  ${line}`),
    ...families.flatMap((family) => [
      ...chain(`arriving${family.name}`, arriving(family)),
      ...chain(`leaving${family.name}`, leaving(family)),
      ...chain(`released${family.name}`, released(family)),
    ]),
    ...chain('arriving', [
      `meta l4proto != { tcp, udp } ${drop('malformed')}`,
      'meta nfproto ipv4 goto arriving4',
      'goto arriving6',
    ]),
    ...chain('first', [
      'type filter hook prerouting priority -310; policy accept;',
      `iifname "${peerMark}*" goto arriving`,
      ...each(({ name, ip, range }) => [
        `iifname ${from} ${ip} daddr ${range} goto leaving${name}`,
        `iifname "${hold.far}" ${ip} daddr ${range} goto released${name}`,
      ]),
    ]),
    ...divisions.flatMap((size) =>
      chain(
        `pick_${size}`,
        each(({ name, ip }) => [`dnat ${ip} to ${ip} daddr . numgen random mod ${size} map @choices${name}`]),
      ),
    ),
    ...(typeof settings.overlay === 'string'
      ? []
      : chain('opening', [
          'type filter hook prerouting priority mangle; policy accept;',
          ...each((family) => closing(settings, family, from)),
          ...each((family) => closing(settings, family, `"${hold.far}"`)),
        ])),
    ...chain('choice', [
      'type nat hook prerouting priority dstnat; policy accept;',
      ...each(({ name, ip }) => [`${ip} daddr vmap @pick${name}`]),
    ]),
    ...chain('refusing', ['meta l4proto tcp reject with tcp reset', 'reject with icmpx type host-unreachable']),
    ...chain('unreached', [
      ...each(({ name, ip }) => [`${ip} daddr @refused${name} counter name refused jump refusing`]),
      'accept',
    ]),
    ...chain('through', [
      'type filter hook forward priority -5; policy accept;',
      `oifname { "${hold.near}" } iifname ${from} goto unreached`,
      `oifname { "${hold.near}" } iifname "${hold.far}" goto unreached`,
      `oifname "${hold.near}" ${drop('foreign')}`,
      // The kernel's own message for packets that are too long does not survive the rewriting.
      `oifname "${peerMark}*" tcp flags syn tcp option maxseg size set rt mtu`,
      `iifname "${peerMark}*" tcp flags syn tcp option maxseg size set rt mtu`,
      `oifname "${peerMark}*" iifname ${from} accept`,
      `oifname "${peerMark}*" iifname "${hold.far}" accept`,
      `oifname "${peerMark}*" ${drop('foreign')}`,
      `iifname "${peerMark}*" oifname != ${from} ${drop('foreign')}`,
    ]),
    ...chain('last', [
      'type filter hook postrouting priority 300; policy accept;',
      ...each(({ name, ip, range }) => [`${ip} daddr ${range} ${ip} daddr set ${ip} daddr map @inner${name}`]),
    ]),
    ...chain('board', [
      'type filter hook output priority filter; policy accept;',
      // An instance's route by this board is the right one; a redirect would tell it otherwise.
      `oifname ${from} icmp type redirect drop`,
      `oifname ${from} icmpv6 type nd-redirect drop`,
      // The board itself has no address by which services could answer it.
      ...each(({ ip, range }) => [
        `oifname "${peerMark}*" ${ip} daddr ${range} ${ip} saddr != ${range} reject with icmpx type admin-prohibited`,
        `oifname "${hold.near}" ${ip} daddr ${range} reject with icmpx type admin-prohibited`,
      ]),
    ]),
    '}',
    ...wire(settings),
  ];
};

/** The command that puts an element of the tables into its set or map, or takes it out. */
export const elementCommand = (verb: 'add' | 'delete', element: string): string => {
  const at = element.indexOf(' ');
  const [set, text] = [element.slice(0, at), element.slice(at + 1)];
  const key = verb === 'add' ? text : text.split(' : ')[0];
  const table = set === 'nodes' || set.startsWith('senders') ? wireTable : overlayTable;
  return `${verb} element ${table} ${set} { ${key} }`;
};
