import { addressAt } from '../addresses.ts';
import { chain } from '../ruleset.ts';
import type { Settings } from '../settings.ts';
import { hold, instanceLinks, wireTable } from './names.ts';

/** The counters of the datagrams themselves; `strangers` come from nodes that are not known, `waiting` is held. */
export const wireCounters = ['malformed', 'strangers', 'waiting', 'flooded'] as const;

/** Sets that packets fill, or that empty themselves: what they hold is nobody's to keep. */
export const passing = 'flags dynamic,timeout; timeout 6s;';

/** How many addresses and other nodes are asked after at a time, and how many of them for one instance or node. */
export const pace = 'limit rate over 8/second burst 16 packets';
export const most = 128;

/** The table of the datagrams: bare IP packets of other nodes only, from instances that are known to be on that node. */
export const wireRules = (settings: Settings): readonly string[] => [
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
    `udp dport ${settings.tunnelPort} goto tunnel`,
  ]),
  ...chain('tunnel', [
    // Let go, a datagram is for this node again, whichever of its addresses it was sent to.
    `iifname "${hold.far}" ip daddr set ${addressAt(settings.subnet, 1).v4}`,
    // As good as all: to look for the destination among this node's addresses costs more than these rules.
    `iifname != ${instanceLinks(settings)} udp length >= 28 @th,64,4 4 ip saddr . @th,160,32 @senders4 accept`,
    `iifname != ${instanceLinks(settings)} udp length >= 28 @th,64,4 6 ip saddr . @th,128,128 @senders6 accept`,
    'fib daddr type local goto datagram',
  ]),
  ...chain('datagram', [
    `iifname ${instanceLinks(settings)} counter name strangers drop`,
    'udp length < 28 counter name malformed drop',
    // The first bits of GUE tell a header of its own from a bare packet (draft-ietf-intarea-gue, 3.1); only bare ones are the overlay's.
    '@th,64,4 != { 4, 6 } counter name malformed drop',
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
