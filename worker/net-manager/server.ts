import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Static, TSchema } from 'typebox';
import { InvalidData } from '../contract/check.ts';
import {
  NetDeployRequest,
  NetUndeployRequest,
  RegisterRequest,
  type WasmUndeployAnswer,
} from '../contract/net-http.ts';
import { readJson } from '../contract/read.ts';
import type { Log } from '../system/log.ts';
import type { Manager } from './manager.ts';
import { RequestError } from './request-error.ts';

const bodyLimit = 64 * 1024;

/** A request has to be there whole after this, in ms; without limits half ones would stay open for minutes. */
const limits = { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 };

/** A status and a JSON document, or no body at all. */
type Answer = { readonly status: number; readonly body?: object };
type Route = (text: string) => Promise<Answer>;

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  // What is too long is read to its end all the same: a client that is still writing would miss the answer.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= bodyLimit) chunks.push(chunk);
  }
  if (size > bodyLimit) throw new InvalidData('request', [`the body is longer than ${bodyLimit} bytes`]);
  return Buffer.concat(chunks).toString('utf8');
};

/** The paths of the contract, section 4. */
const routesOf = (manager: Manager, log: Log): Readonly<Record<string, Route>> => {
  const route =
    <T extends TSchema>(schema: T, handle: (request: Static<T>) => Promise<Answer>): Route =>
    (text) =>
      handle(readJson(schema, text, 'request', log.warn));
  const deploy = (v6Key: 'nsAddressv6' | 'nsAddressV6') =>
    route(NetDeployRequest, async (request) => {
      const { v4, v6, warning } = await manager.deploy(request);
      const body = { serviceName: request.serviceName, nsAddress: v4, [v6Key]: v6 };
      return { status: 200, body: warning === undefined ? body : { ...body, warning } };
    });
  const undeploy = route(NetUndeployRequest, async (request) => {
    await manager.undeploy(request);
    return { status: 200 };
  });
  const undeployWasm = route(NetUndeployRequest, async (request) => {
    await manager.undeploy(request);
    const body: WasmUndeployAnswer = { success: true, message: `${request.serviceName} undeployed` };
    return { status: 200, body };
  });
  return {
    '/register': route(RegisterRequest, async (request) => {
      await manager.register(request);
      return { status: 200 };
    }),
    '/wasm/deploy': deploy('nsAddressV6'),
    '/wasm/undeploy': undeployWasm,
    '/container/deploy': deploy('nsAddressv6'),
    '/container/undeploy': undeploy,
    '/docker/undeploy': undeploy,
    '/unikernel/deploy': deploy('nsAddressv6'),
    '/unikernel/undeploy': undeploy,
  };
};

const failure = (path: string, error: unknown): Answer => {
  const message = error instanceof Error ? error.message : String(error);
  const status = error instanceof RequestError ? error.status : error instanceof InvalidData ? 400 : 500;
  return { status, body: path === '/wasm/undeploy' ? { success: false, message } : { message } };
};

/** Why nobody at the other end of a connection may ask for anything; undefined when they may. */
type Guard = (socket: Socket) => Promise<string | undefined>;

/** An HTTP server that answers a node engine which `guard` lets in; it listens nowhere yet. */
export const createApi = (manager: Manager, log: Log, guard?: Guard): Server => {
  const routes = routesOf(manager, log);
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const forbidden = await guard?.(request.socket);
    if (forbidden !== undefined) {
      log.warn(`${request.url}: 403: ${forbidden}`);
      return { status: 403, body: { message: forbidden } };
    }
    const path = new URL(request.url ?? '/', 'http://net-manager').pathname;
    const handle = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!handle) return { status: 404, body: { message: `no such path: ${path}` } };
    if (request.method !== 'POST') return { status: 405, body: { message: `${path} wants POST` } };
    try {
      return await handle(await bodyOf(request));
    } catch (error) {
      const failed = failure(path, error);
      log.warn(`${path}: ${failed.status}: ${(error as Error).message}`);
      return failed;
    }
  };
  return createServer(limits, (request, response) => {
    answer(request).then(
      ({ status, body }) => {
        response.writeHead(status, body ? { 'content-type': 'application/json' } : {});
        response.end(body && JSON.stringify(body));
      },
      (error: unknown) => {
        log.error(`request: ${(error as Error).message}`);
        response.writeHead(500).end();
      },
    );
  });
};

const isAnswered = (socket: string): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket, () => resolve(true));
  connection.once('error', () => resolve(false));
  return promise.finally(() => connection.destroy());
};

const listening = (server: Server, ...where: [string] | [number, string]): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  if (where.length === 1) server.listen(where[0], resolve);
  else server.listen(where[0], where[1], resolve);
  return promise.finally(() => server.off('error', reject));
};

/** Throws when a living process answers on the socket: two of them would undo each other's work. */
export const refuseSecond = async (socket: string): Promise<void> => {
  if (await isAnswered(socket)) throw new Error(`another NetManager answers on ${socket}; stop it first`);
};

/** Listens on a unix socket, in the place of one that a killed process left. */
const listenOnSocket = async (server: Server, socket: string): Promise<void> => {
  await mkdir(dirname(socket), { recursive: true });
  await rm(socket, { force: true });
  await listening(server, socket);
  await chmod(socket, 0o660);
};

/** How often it is looked whether the socket's file is still there, in ms. */
const socketLookMs = 2000;

/** Something that answers requests; `close` is {@link closed}. */
type Answering = { readonly close: (ms: number) => Promise<void> };

/** Answers on a unix socket with a server that `make` makes, and with another one when a program removes its file. */
export const answerOnSocket = async (make: () => Server, socket: string, log: Log): Promise<Answering> => {
  let server = make();
  await listenOnSocket(server, socket);
  const look = async (): Promise<void> => {
    const isThere = await lstat(socket).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    log.warn(`another program removed ${socket}: it is made anew`);
    // first, because it removes the file whose name it has
    server.close();
    server = make();
    await listenOnSocket(server, socket);
  };
  const timer = setInterval(() => {
    look().catch((error: unknown) => log.error(`nobody is answered on ${socket}: ${(error as Error).message}`));
  }, socketLookMs).unref();
  return {
    close: async (ms) => {
      clearInterval(timer);
      await closed(server, ms);
    },
  };
};

/** Listens on a TCP port of the loopback interface. */
export const listenOnPort = (server: Server, port: number): Promise<void> => listening(server, port, '127.0.0.1');

/**
 * Resolves once a server has answered what it was asked and takes nothing more; after `ms` what is still open, such as
 * a request that never came whole, is broken off.
 */
export const closed = (server: Server, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const breakOff = setTimeout(() => server.closeAllConnections(), ms);
    // The error says that it never listened.
    server.close(() => {
      clearTimeout(breakOff);
      resolve();
    });
    server.closeIdleConnections();
  });
