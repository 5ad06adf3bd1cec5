import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** An HTTP server on loopback that notes what it was asked for. */
export const serveHttp = async (
  answer: http.RequestListener,
): Promise<AsyncDisposable & { readonly url: string; readonly requests: http.IncomingMessage[] }> => {
  const requests: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
