import { once } from 'node:events';
import http from 'node:http';

/** A server that answers every request with 200 and `body`, on a port that the kernel chooses. */
export const serveText = async (
  body: string,
  address: string,
): Promise<AsyncDisposable & { readonly port: number }> => {
  const server = http.createServer((_request, response) => response.end(body)).listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
