import { bridge, hostLinkMark } from '../instance.ts';
import type { Settings } from '../settings.ts';

/** The table of what is inside the tunnel, in both families. */
export const overlayTable = 'inet oakestra_overlay';

/** The table of the tunnel's own datagrams: the wire is IPv4. */
export const wireTable = 'ip oakestra_overlay';

/** The mark of links to other nodes that this program owns. */
export const peerMark = 'oaknode';

/** The link to another node, named after the node's IPv4 address. */
export const peerLink = (address: string): string =>
  `${peerMark}${address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')}`;

/**
 * A pair of links that joins this namespace to itself. A packet to an address that nobody knows yet waits at the near
 * end, as for the answer of a neighbour; let go, it comes in again at the far end and is judged anew.
 */
export const hold = {
  near: 'oakhold0',
  nearMac: '0a:58:6f:61:6b:00',
  far: 'oakhold1',
  farMac: '0a:58:6f:61:6b:01',
} as const;

/** How rules match the links of this node's instances. */
export const instanceLinks = ({ topology }: Pick<Settings, 'topology'>): string =>
  topology === 'bridged' ? `"${bridge}"` : `"${hostLinkMark}*"`;
