import { familyOf } from '../addresses.ts';
import { chain } from '../ruleset.ts';
import type { Settings } from '../settings.ts';
import { divisions } from './desired.ts';
import { hold, instanceLinks, overlayTable, peerMark, wireTable } from './names.ts';
import { most, pace, passing, wireRules } from './wire.ts';

/** How many flows of UDP that have left a gone instance are known at a time, and how long one is that sends nothing. */
const moved = { most: 4096, seconds: 180 } as const;

/** Any zone of connection tracking but the usual one. */
const anyZone = 'numgen random mod 65535 offset 1';

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
  `iifname . ${ip} saddr != @peers${name} goto denied${name}`,
  `${ip} daddr ${range} ${drop('foreign')}`,
  `${ip} daddr set ${ip} daddr map @instances${name}`,
  `${ip} daddr != ${range} ${drop('foreign')}`,
];

/** Of no instance that is known to be on the node which sent it. */
const denied = ({ name, ip }: Family): readonly string[] => [
  `${ip} saddr @own${name} ${drop('looping')}`,
  drop('forged'),
];

/** A flow of UDP by its first packet's addresses and ports. As one number: nft 1.0.6 fails on keys of 40 bytes. */
const flow = (words: string): string => `jhash ${words} mod 4294967295 seed 0x6f616b`;

/**
 * A socket of UDP that goes on sending keeps its connection, and so its instance, even when that is gone. Such a packet
 * gives the socket another zone of connection tracking, in which the next one begins a connection, to an instance that
 * there is. Only the way to the service is in that zone: an answer is found without.
 */
const moving = ({ ip }: Family): readonly string[] => {
  const key = flow(`ct original ${ip} saddr . ct original proto-src . ct original ${ip} daddr . ct original proto-dst`);
  return ['delete', 'add'].map((verb) => `meta l4proto udp ct status dnat ${verb} @moved { ${key} : ${anyZone} }`);
};

/** From an instance here to an address that is known. */
const tracked = ({ ip }: Family): readonly string[] => {
  const key = flow(`${ip} saddr . udp sport . ${ip} daddr . udp dport`);
  return [`ct original zone set ${key} map @moved update @moved { ${key} : ${anyZone} }`, 'accept'];
};

/** From an instance here: its own address becomes the source. What nobody knows is held, so many at a time. */
const leaving = ({ name, ip, range }: Family): readonly string[] => [
  `meta l4proto != { tcp, udp } ${drop('malformed')}`,
  `${ip} saddr ${range} ${drop('forged')}`,
  `${ip} saddr set ${ip} saddr map @instances${name}`,
  `${ip} saddr ${range} ${ip} daddr @known${name} goto tracked${name}`,
  `${ip} daddr @refused${name} notrack accept`,
  `${ip} daddr @known${name} ${drop('forged')}`,
  `update @pace${name} { ${ip} saddr ${pace} } ${drop('flooded')}`,
  `update @asking${name} { ${ip} daddr } counter name held notrack accept`,
  drop('flooded'),
];

/** What was held and is let go comes in once more. */
const released = ({ name, ip, range }: Family): readonly string[] => [
  `${ip} saddr != ${range} ${ip} saddr set ${ip} saddr map @instances${name}`,
  `${ip} saddr ${range} ${ip} daddr @known${name} goto tracked${name}`,
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
    `  map moved { typeof numgen inc mod 4294967295 : ct zone; size ${moved.most}; flags dynamic,timeout; timeout ${moved.seconds}s; }`,
    ...families.flatMap((family) => [
      ...chain(`denied${family.name}`, denied(family)),
      ...chain(`arriving${family.name}`, arriving(family)),
      ...chain(`tracked${family.name}`, tracked(family)),
      ...chain(`leaving${family.name}`, leaving(family)),
      ...chain(`released${family.name}`, released(family)),
    ]),
    ...chain('arriving', [
      `meta l4proto != { tcp, udp } ${drop('malformed')}`,
      'meta nfproto ipv4 goto arriving4',
      'goto arriving6',
    ]),
    ...['leaving', 'released'].flatMap((way) =>
      chain(
        way,
        each(({ name, ip, range }) => [`${ip} daddr ${range} goto ${way}${name}`]),
      ),
    ),
    ...chain('first', [
      'type filter hook prerouting priority -310; policy accept;',
      `iifname "${peerMark}*" goto arriving`,
      `iifname ${from} goto leaving`,
      `iifname "${hold.far}" goto released`,
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
      ...each(moving),
      ...each(({ name, ip }) => [`${ip} daddr @refused${name} counter name refused jump refusing`]),
      'accept',
    ]),
    // The kernel's own message for packets that are too long does not survive the rewriting.
    ...chain('outward', [
      'tcp flags syn tcp option maxseg size set rt mtu',
      `iifname ${from} accept`,
      `iifname "${hold.far}" accept`,
      drop('foreign'),
    ]),
    ...chain('inward', ['tcp flags syn tcp option maxseg size set rt mtu', `oifname != ${from} ${drop('foreign')}`]),
    ...chain('waiting', [`iifname ${from} goto unreached`, `iifname "${hold.far}" goto unreached`, drop('foreign')]),
    ...chain('through', [
      'type filter hook forward priority -5; policy accept;',
      `oifname "${peerMark}*" goto outward`,
      `iifname "${peerMark}*" goto inward`,
      `oifname "${hold.near}" goto waiting`,
    ]),
    ...chain('last', [
      'type filter hook postrouting priority 300; policy accept;',
      ...each(({ name, ip, range }) => [`${ip} daddr ${range} ${ip} daddr set ${ip} daddr map @inner${name}`]),
    ]),
    ...chain('board', [
      'type filter hook output priority filter; policy accept;',
      // An instance's route by this board is the right one; a redirect would tell it otherwise.
      `icmp type redirect oifname ${from} drop`,
      `icmpv6 type nd-redirect oifname ${from} drop`,
      // The board itself has no address by which services could answer it.
      ...each(({ ip, range }) => [
        `${ip} daddr ${range} oifname "${peerMark}*" ${ip} saddr != ${range} reject with icmpx type admin-prohibited`,
        `${ip} daddr ${range} oifname "${hold.near}" reject with icmpx type admin-prohibited`,
      ]),
    ]),
    '}',
    ...wireRules(settings),
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
