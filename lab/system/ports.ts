import net from 'node:net';
import { labFault } from './errors.ts';

const attempts = 10;

const unusedPort = async (address: string): Promise<number> => {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => server.listen(0, address, resolve).once('error', reject));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (bound === null || typeof bound === 'string') throw new Error('no TCP address');
  return bound.port;
};

/** Tries free ports with `use` until it takes one: between finding and using a port somebody else may be faster. */
export const freePort = async <T>(address: string, use: (port: number) => Promise<T | undefined>): Promise<T> => {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const used = await use(await unusedPort(address));
    if (used !== undefined) return used;
  }
  throw labFault(`no free TCP port on ${address} could be used in ${attempts} attempts`);
};
