import { InvalidData } from './check.ts';

/** A port as text, 1 to 65535, as JSON Schema knows it. */
export const portPattern = '^0*(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])$';

/** One port of the board that leads to a port of the instance. */
export type PortMapping = {
  readonly host: number;
  readonly inner: number;
  readonly protocol: 'tcp' | 'udp';
};

const port = (text: string, entry: string): number => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 65_535) throw new InvalidData('port mapping', [`'${entry}': ports are 1 to 65535`]);
  return value;
};

/** The entries of a text of ports, which are joined by `;` or `,`, with blanks or without. */
export const splitPorts = (text: string): readonly string[] =>
  text
    .split(/[;,]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

/**
 * Parses `host[:inner][/tcp|/udp]`, several joined by `;` or `,`. The inner port defaults to the host port, the protocol to
 * tcp; an empty text is no mapping, and the same entry twice is one. Throws {@link InvalidData}, also when a host port leads
 * to two inner ports.
 */
export const parsePorts = (text: string): readonly PortMapping[] => {
  const mappings = splitPorts(text).map((entry): PortMapping => {
    const match = /^(?<host>\d+)(?::(?<inner>\d+))?(?:\/(?<protocol>tcp|udp))?$/.exec(entry);
    if (!match?.groups)
      throw new InvalidData('port mapping', [`'${entry.slice(0, 80)}': expected host[:inner][/tcp|/udp]`]);
    const { host = '', inner = host, protocol = 'tcp' } = match.groups;
    return { host: port(host, entry), inner: port(inner, entry), protocol: protocol as 'tcp' | 'udp' };
  });
  const byHostPort = Map.groupBy(mappings, ({ host, protocol }) => `${host}/${protocol}`);
  return [...byHostPort].map(([key, [first, ...others]]): PortMapping => {
    if (first === undefined || others.some(({ inner }) => inner !== first.inner))
      throw new InvalidData('port mapping', [`host port ${key} is mapped twice`]);
    return first;
  });
};

/** The text that {@link parsePorts} reads. */
export const formatPorts = (mappings: readonly PortMapping[]): string =>
  mappings.map(({ host, inner, protocol }) => `${host}:${inner}/${protocol}`).join(';');
