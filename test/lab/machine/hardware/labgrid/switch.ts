import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A switch with an HTTP interface, and what it was asked. */
export const startSwitch = async (status = 200) => {
  const asked: string[] = [];
  const server = http.createServer(async (request, response) => {
    const body = await text(request);
    asked.push([request.method, request.url, request.headers.authorization, body].filter(Boolean).join(' '));
    response.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { asked, host: `127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() };
};
