import { InvalidData } from './check.ts';

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

/**
 * Parses `host[:inner][/tcp|/udp]`, several joined by `;`. The inner port defaults to the host port, the protocol to
 * tcp; an empty text is no mapping. Throws {@link InvalidData}, also when a host port is named twice.
 */
export const parsePorts = (text: string): readonly PortMapping[] => {
  const mappings = text
    .split(';')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry): PortMapping => {
      const match = /^(?<host>\d+)(?::(?<inner>\d+))?(?:\/(?<protocol>tcp|udp))?$/.exec(entry);
      if (!match?.groups)
        throw new InvalidData('port mapping', [`'${entry.slice(0, 80)}': expected host[:inner][/tcp|/udp]`]);
      const { host = '', inner = host, protocol = 'tcp' } = match.groups;
      return { host: port(host, entry), inner: port(inner, entry), protocol: protocol as 'tcp' | 'udp' };
    });
  const seen = new Set<string>();
  for (const { host, protocol } of mappings) {
    const key = `${host}/${protocol}`;
    if (seen.has(key)) throw new InvalidData('port mapping', [`host port ${key} is mapped twice`]);
    seen.add(key);
  }
  return mappings;
};

/** The text that {@link parsePorts} reads. */
export const formatPorts = (mappings: readonly PortMapping[]): string =>
  mappings.map(({ host, inner, protocol }) => `${host}:${inner}/${protocol}`).join(';');
