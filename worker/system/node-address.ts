import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * The address that this node reaches `host` from: what other nodes can reach it by. No packet is sent.
 * Rejects when the name can't be resolved or no route leads there.
 */
export const addressTowards = async (host: string): Promise<string> => {
  const target = isIP(host) ? host : (await lookup(host)).address;
  const socket = createSocket(isIPv6(target) ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.once('error', reject);
  socket.connect(9, target, () => resolve(socket.address().address));
  return await promise.finally(() => socket.close());
};

/** All addresses of a host; none when its name can't be resolved within `limitMs`. */
export const addressesOf = async (host: string, limitMs = 3_000): Promise<readonly string[]> => {
  if (isIP(host)) return [host];
  const limit = new AbortController();
  try {
    const late = delay(limitMs, [], { signal: limit.signal, ref: false });
    const found = await Promise.race([lookup(host, { all: true }), late]);
    const addresses = found.map(({ address }) => address);
    return addresses;
  } catch {
    return [];
  } finally {
    limit.abort();
  }
};
