import { isIPv4, isIPv6 } from 'node:net';
import { InvalidData } from '../../contract/check.ts';

/** A worker's pools: IPv4 /26 and IPv6 /120, as numbers (contract, section 6). */
export type Subnet = { readonly v4: number; readonly v6: bigint };

/** The addresses of a gateway or an instance. */
export type AddressPair = { readonly v4: string; readonly v6: string };

export const prefix = { v4: 26, v6: 120 } as const;

/** The slots of a subnet's instances: gateway + 1 to + 61, so that both families have them. */
export const slots = { first: 2, last: 62 } as const;

const parseV4 = (text: string): number => text.split('.').reduce((value, part) => value * 256 + Number(part), 0);

const formatV4 = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');

const words = (text: string): readonly bigint[] =>
  text === ''
    ? []
    : text.split(':').flatMap((part) => {
        if (!part.includes('.')) return [BigInt(`0x${part}`)];
        const v4 = BigInt(parseV4(part));
        return [v4 >> 16n, v4 & 0xffffn];
      });

const parseV6 = (text: string): bigint => {
  const [head = '', tail] = text.split('::');
  const front = words(head);
  const back = words(tail ?? '');
  const gap = Array.from<bigint>({ length: 8 - front.length - back.length }).fill(0n);
  return [...front, ...gap, ...back].reduce((value, word) => (value << 16n) | word, 0n);
};

const formatV6 = (value: bigint): string => {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const longest = (`:${groups.join(':')}:`.match(/(?::0)+(?=:)/g) ?? []).toSorted((a, b) => b.length - a.length)[0];
  if (longest === undefined || longest.length < 4) return groups.join(':');
  const full = `:${groups.join(':')}:`;
  const at = full.indexOf(`${longest}:`);
  const before = full.slice(1, at);
  const after = full.slice(at + longest.length + 1, -1);
  return `${before}::${after}`;
};

/** The family of an address or network. */
export const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4);

/**
 * Reads the network addresses that a cluster gave. Throws {@link InvalidData} unless the first starts a /26 and the
 * second leaves room for every slot in its /120.
 */
export const parseSubnet = (v4: string, v6: string): Subnet => {
  const problems: string[] = [];
  if (!isIPv4(v4) || (parseV4(v4) & 63) !== 0) problems.push(`'${v4}' is not the first address of an IPv4 /26`);
  if (!isIPv6(v6) || v6.includes('%')) problems.push(`'${v6}' is not an IPv6 address`);
  else if ((parseV6(v6) & 255n) > 255n - BigInt(slots.last)) problems.push(`'${v6}' leaves no room in its /120`);
  if (problems.length > 0) throw new InvalidData('subnet', problems);
  return { v4: parseV4(v4), v6: parseV6(v6) };
};

/** The addresses at a slot of a subnet: 1 is the gateway, see {@link slots} for instances. */
export const addressAt = (subnet: Subnet, slot: number): AddressPair => ({
  v4: formatV4(subnet.v4 + slot),
  v6: formatV6(subnet.v6 + BigInt(slot)),
});

/** The networks of a subnet with their prefix lengths, for rules. */
export const networkOf = (subnet: Subnet): AddressPair => ({
  v4: `${formatV4(subnet.v4)}/${prefix.v4}`,
  v6: `${formatV6(subnet.v6 & ~255n)}/${prefix.v6}`,
});

/** The lowest slot that nobody holds, or undefined when the pool is used up. */
export const freeSlot = (taken: Iterable<number>): number | undefined => {
  const held = new Set(taken);
  for (let slot: number = slots.first; slot <= slots.last; slot++) if (!held.has(slot)) return slot;
  return undefined;
};

/** The first and the last address of a network such as `10.0.0.0/8` (one address without a length), or undefined. */
const rangeOf = (
  network: string,
): { readonly family: 4 | 6; readonly first: bigint; readonly last: bigint } | undefined => {
  const [address = '', length] = network.split('/');
  const family = isIPv4(address) ? 4 : isIPv6(address) && !address.includes('%') ? 6 : undefined;
  if (family === undefined) return undefined;
  const bits = family === 4 ? 32 : 128;
  const size = 1n << BigInt(bits - Number(length ?? bits));
  const value = family === 4 ? BigInt(parseV4(address)) : parseV6(address);
  const first = value - (value % size);
  return { family, first, last: first + size - 1n };
};

/** True when two networks have an address in common. */
export const overlaps = (one: string, other: string): boolean => {
  const [a, b] = [rangeOf(one), rangeOf(other)];
  return a !== undefined && b !== undefined && a.family === b.family && a.first <= b.last && b.first <= a.last;
};

/** Some addresses of hosts in a network that is given by one of its addresses and a length, without that address. */
export const neighboursIn = (network: string): readonly string[] => {
  const [address = '', length = ''] = network.split('/');
  const range = rangeOf(network);
  if (!range || length === '') return [];
  const own = range.family === 4 ? BigInt(parseV4(address)) : parseV6(address);
  return [1n, 2n, 3n, 4n, 5n, 6n, 7n]
    .map((bits) => own ^ bits)
    .filter((value) => value > range.first && value < range.last)
    .map((value) => (range.family === 4 ? formatV4(Number(value)) : formatV6(value)));
};

/** An address in the one form that the kernel writes it in. */
export const canonicalOf = (address: string): string =>
  isIPv4(address) ? formatV4(parseV4(address)) : formatV6(parseV6(address));

/** An address as the number that it is on the wire, in hexadecimal: as nft lists bytes that it has no type for. */
export const hexOf = (address: string): string =>
  `0x${(isIPv4(address) ? parseV4(address) : parseV6(address)).toString(16)}`;

/** The network of `length` that an address is in, in the one form that the kernel's lists have it. */
export const networkAt = (address: string, length: number): string => {
  const bits = isIPv4(address) ? 32 : 128;
  const size = 1n << BigInt(bits - length);
  const value = bits === 32 ? BigInt(parseV4(address)) : parseV6(address);
  const first = value - (value % size);
  return `${bits === 32 ? formatV4(Number(first)) : formatV6(first)}/${length}`;
};
