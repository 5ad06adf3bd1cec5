import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { registrationPath } from '../../worker/contract/registration.ts';

/** A registration's answer: the status code and the JSON body. */
export type Answer = { readonly status: number; readonly body: unknown };

const maxBodyBytes = 1 << 20;

const readText = async (request: IncomingMessage): Promise<string | undefined> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
};

const sendJson = (response: ServerResponse, { status, body }: Answer): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

/** The cluster's HTTP side: node registration, and the artifacts that deployments refer to. */
export class ClusterHttp implements AsyncDisposable {
  readonly #artifacts = new Map<string, Uint8Array>();
  readonly #register: (text: string) => Answer;
  readonly #server = createServer((request, response) => {
    this.#handle(request, response).catch(() => response.destroy());
  });

  constructor(register: (text: string) => Answer) {
    this.#register = register;
  }

  /** Listens on a port that the kernel chooses and returns it. */
  async start(host: string): Promise<number> {
    this.#server.listen(0, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (!address || typeof address !== 'object') throw new Error(`no TCP address on ${host}`);
    return address.port;
  }

  /** Serves `bytes` under `name` and returns the path, and its SHA-256 in hex. */
  add(name: string, bytes: Uint8Array): { readonly path: string; readonly sha256: string } {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const path = `/artifacts/${sha256}/${encodeURIComponent(name)}`;
    this.#artifacts.set(path, bytes);
    return { path, sha256 };
  }

  /** Serves nothing at `path` any more. */
  remove(path: string): void {
    this.#artifacts.delete(path);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (request.method === 'POST' && path === registrationPath) {
      const text = await readText(request);
      const tooLong = { status: 413, body: { message: `a registration has at most ${maxBodyBytes} bytes` } };
      return sendJson(response, text === undefined ? tooLong : this.#register(text));
    }
    const artifact = this.#artifacts.get(path);
    if (!artifact || (request.method !== 'GET' && request.method !== 'HEAD'))
      return sendJson(response, { status: 404, body: { message: `nothing at ${request.method} ${path}` } });
    response.writeHead(200, { 'content-type': 'application/wasm', 'content-length': artifact.byteLength });
    response.end(request.method === 'GET' ? artifact : undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** `host:port` as a URL wants it. */
export const authority = (host: string, port: number): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
