import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { FetchError } from './fetch-error.ts';
import { namesHost } from './sources.ts';

/**
 * Addresses that mean this node, its link, or a cloud's metadata service: what listens there trusts whoever can reach
 * it, and a job's `image` is the word of somebody far away. Private networks stay allowed: a registry on the LAN is
 * usual, and what is there expects to be reached by the node.
 * Sources: IANA's special-purpose address registries; the providers' documentation of their metadata services.
 */
const local = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8], // "this host": Linux connects to itself
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32], // metadata: Alibaba Cloud
  ['168.63.129.16', 32], // metadata: Azure
  ['192.0.0.192', 32], // metadata: Oracle Cloud
] as const) {
  local.addSubnet(network, prefix, 'ipv4');
  local.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6'); // NAT64
}
for (const [network, prefix] of [
  ['::', 96], // ::1, and IPv4 addresses in an old notation
  ['fe80::', 10],
  ['fd00:ec2::254', 128], // metadata: Amazon
  ['fd20:ce::254', 128], // metadata: Google
] as const)
  local.addSubnet(network, prefix, 'ipv6');

/** True for an address of this node itself, of its link or of a metadata service. */
export const isLocalAddress = (address: string): boolean => {
  const [bare = ''] = address.split('%');
  return local.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
};

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** True for a host that is this node's own loopback address. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4'));

const refusal = (host: string, address: string): FetchError => {
  const what = host === address ? host : `${host} (${address})`;
  return new FetchError(
    `${what} is this node, its link or a metadata service, from which nothing is fetched; name the host in allowed_local_hosts of conf.json to allow it`,
  );
};

/** Resolves a name as usual, and takes out the local addresses; when nothing is left, that is an error. */
const lookupElsewhere: LookupFunction = (host, options, callback) => {
  resolve(host, { ...options, all: true }, (error, found) => {
    if (error) return callback(error, '');
    const elsewhere = found.filter(({ address }) => !isLocalAddress(address));
    const [first] = elsewhere;
    if (first === undefined) return callback(refusal(host, found[0]?.address ?? 'no address'), '');
    if (options.all) callback(null, elsewhere);
    else callback(null, first.address, first.family);
  });
};

/** The host of a URL without the brackets of an IPv6 address. */
export const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/**
 * The name lookup for a connection to `url`, which decides on the very address that is connected to, so that a name
 * that changes its address meanwhile gains nothing. Undefined when the host is among `allowed`. Throws
 * {@link FetchError} when the URL itself has a local address.
 */
export const lookupFor = (url: URL, allowed: readonly string[]): LookupFunction | undefined => {
  if (namesHost(allowed, url)) return undefined;
  const host = bareHost(url);
  if (isIP(host) !== 0 && isLocalAddress(host)) throw refusal(host, host);
  return lookupElsewhere;
};
