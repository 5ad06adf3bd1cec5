import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';

/** An HTTP server on loopback for as long as it is held. */
export const listen = async (handler: RequestListener): Promise<AsyncDisposable & { readonly url: string }> => {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (!address || typeof address !== 'object') throw new Error('no TCP address');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};
