import { isIP, isIPv6 } from 'node:net';
import { InvalidData } from './check.ts';

/** Where a cluster's API is. */
export type ClusterAddress = { readonly host: string; readonly port: number; readonly secure: boolean };

/** A host name of letters, digits, points, hyphens and underscores, in any script. */
const namePattern = /^[\p{L}\p{N}_](?:[\p{L}\p{N}._-]{0,251}[\p{L}\p{N}.])?$/u;

const isHost = (text: string): boolean => isIP(text) !== 0 || namePattern.test(text);

const unbracketed = (text: string): string => {
  const inner = /^\[(?<address>[^\]]*)\]$/.exec(text)?.groups?.['address']?.trim();
  return inner !== undefined && isIPv6(inner) ? inner : text;
};

/** What to write in the place of a URL or of a host with a port, as far as that can be told. */
const advice = (text: string, portKey: string | undefined): string => {
  const parts = /^(?:[a-z][a-z0-9+.-]*:\/*)??(?:[^/@]*@)?(?<host>\[[^\]]*\]|[^/:?#]+)(?::(?<port>\d+))?(?:[/?#].*)?$/i;
  const { host = '', port } = parts.exec(text)?.groups ?? {};
  const plain = unbracketed(host);
  const instead = isHost(plain) ? `write '${plain}'` : 'write a host name or an address';
  return port !== undefined && portKey !== undefined ? `${instead}, and ${port} into ${portKey}` : instead;
};

/**
 * The host that `text` names, without surrounding blanks and the brackets of an IPv6 address; empty when it names none.
 * Throws {@link InvalidData} for anything more than a host, such as a scheme, a path or a port, and says what to write
 * instead; `portKey` is where the port belongs.
 */
export const readHost = (text: string, key: string, portKey?: string): string => {
  const host = unbracketed(text.trim());
  if (host === '' || isHost(host)) return host;
  const shown = host.slice(0, 100);
  const problem = /^[a-z][a-z0-9+.-]*:\/\//i.test(host)
    ? 'has a scheme'
    : host.includes('/')
      ? 'has a path'
      : /[\]:.\p{L}\p{N}]:\d+$/u.test(host)
        ? 'has a port'
        : 'is no host';
  throw new InvalidData(key, [`'${shown}' ${problem}: ${advice(host, portKey)}`]);
};
