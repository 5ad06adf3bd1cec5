import { isIPv4 } from 'node:net';

/** A packet as it is inside a datagram of the overlay, and what its bytes say of itself. */
export type Packet = {
  readonly version: number;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of UDP: what was sent. Of TCP: options and data. */
  readonly payload: Buffer;
  /** Of TCP. */
  readonly flags: number;
  readonly sequence: number;
  /** The length that the packet's own header gives, in bytes. */
  readonly length: number;
  /**
   * True when the checksums in it are right. That of the inner packet may be left to a device which computes it, as the
   * links between namespaces say of themselves: it is the sum over the addresses then (Linux, CHECKSUM_PARTIAL).
   */
  readonly isWhole: boolean;
};

export const protocols = { tcp: 6, udp: 17 } as const;
export const tcpFlags = { syn: 2, reset: 4, acknowledged: 16 } as const;

const groups = (text: string): readonly number[] =>
  text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));

const bytesOf = (address: string): Buffer => {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [left = '', right] = address.split('::');
  const [first, last] = [groups(left), groups(right ?? '')];
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
};

const textOf = (bytes: Buffer): string =>
  bytes.length === 4
    ? bytes.join('.')
    : new URL(`http://[${bytes.toString('hex').replaceAll(/(.{4})(?!$)/g, '$1:')}]`).hostname.slice(1, -1);

/** The Internet checksum (RFC 1071); 0 over bytes that hold a right one. */
const checksum = (...parts: readonly Buffer[]): number => {
  const bytes = Buffer.concat([...parts, Buffer.alloc(parts.reduce((sum, part) => sum + part.length, 0) % 2)]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
};

const pseudoHeader = (source: Buffer, destination: Buffer, protocol: number, length: number): Buffer => {
  const rest = Buffer.alloc(8);
  rest.writeUInt32BE(length, 0);
  rest[7] = protocol;
  return Buffer.concat([source, destination, rest]);
};

/** Reads the payload of a datagram; undefined when it is too short for a packet of UDP or TCP. */
export const readPacket = (bytes: Buffer): Packet | undefined => {
  const version = (bytes[0] ?? 0) >> 4;
  const isFour = version === 4;
  const header = isFour ? 4 * ((bytes[0] ?? 0) & 15) : 40;
  const [from, size] = isFour ? [12, 4] : [8, 16];
  const source = bytes.subarray(from, from + size);
  const destination = bytes.subarray(from + size, from + 2 * size);
  const protocol = bytes[isFour ? 9 : 6] ?? 0;
  const segment = bytes.subarray(header);
  const isTcp = protocol === protocols.tcp;
  if (segment.length < (isTcp ? 20 : 8)) return undefined;
  const addressed = pseudoHeader(source, destination, protocol, segment.length);
  const given = segment.readUInt16BE(isTcp ? 16 : 6);
  const isLeft = given === (~checksum(addressed) & 0xffff);
  return {
    version,
    protocol,
    source: textOf(source),
    destination: textOf(destination),
    sourcePort: segment.readUInt16BE(0),
    destinationPort: segment.readUInt16BE(2),
    payload: segment.subarray(isTcp ? 20 : 8),
    flags: isTcp ? segment.readUInt8(13) : 0,
    sequence: isTcp ? segment.readUInt32BE(4) : 0,
    length: isFour ? bytes.readUInt16BE(2) : 40 + bytes.readUInt16BE(4),
    isWhole: (!isFour || checksum(bytes.subarray(0, header)) === 0) && (isLeft || checksum(addressed, segment) === 0),
  };
};

type Ends = {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
};

const packetOf = ({ source, destination }: Ends, protocol: number, segment: Buffer, at: number): Buffer => {
  const [from, to] = [bytesOf(source), bytesOf(destination)];
  segment.writeUInt16BE(checksum(pseudoHeader(from, to, protocol, segment.length), segment), at);
  const header = Buffer.alloc(from.length === 4 ? 20 : 40);
  if (from.length === 4) {
    header[0] = 0x45;
    header.writeUInt16BE(20 + segment.length, 2);
    [header[8], header[9]] = [64, protocol];
    Buffer.concat([from, to]).copy(header, 12);
    header.writeUInt16BE(checksum(header), 10);
  } else {
    header[0] = 0x60;
    header.writeUInt16BE(segment.length, 4);
    [header[6], header[7]] = [protocol, 64];
    Buffer.concat([from, to]).copy(header, 8);
  }
  return Buffer.concat([header, segment]);
};

/** A packet of UDP with a text in it. */
export const udpPacket = (ends: Ends, text: string): Buffer => {
  const segment = Buffer.concat([Buffer.alloc(8), Buffer.from(text)]);
  segment.writeUInt16BE(ends.sourcePort, 0);
  segment.writeUInt16BE(ends.destinationPort, 2);
  segment.writeUInt16BE(segment.length, 4);
  return packetOf(ends, protocols.udp, segment, 6);
};

/** The answer to a packet that opens a connection of TCP, from an instance's own address to where it is to go. */
export const acceptance = (opening: Packet, source: string, destination: string): Buffer => {
  const segment = Buffer.alloc(20);
  segment.writeUInt16BE(opening.destinationPort, 0);
  segment.writeUInt16BE(opening.sourcePort, 2);
  segment.writeUInt32BE(1000, 4);
  segment.writeUInt32BE((opening.sequence + 1) >>> 0, 8);
  segment[12] = 5 << 4;
  segment[13] = tcpFlags.syn | tcpFlags.acknowledged;
  segment.writeUInt16BE(0xffff, 14);
  const { sourcePort, destinationPort } = opening;
  const ends = { source, destination, sourcePort: destinationPort, destinationPort: sourcePort };
  return packetOf(ends, protocols.tcp, segment, 16);
};
