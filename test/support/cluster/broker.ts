import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Aedes } from 'aedes';
import { caughtUp } from '../caught-up.ts';

export type Message = { readonly topic: string; readonly body: Record<string, unknown> };

/** How the broker is reached, where it is not at 127.0.0.1, on a port of the kernel's choice, without TLS. */
export type Listening = { readonly host?: string; readonly port?: number; readonly tls?: TlsOptions };

type Reactions = {
  /** Called with each message of a client, before anybody who waits for it sees it. */
  readonly received?: (message: Message) => void;
  /** Called with each connection. */
  readonly connected?: () => void;
};

const waitMs = 120_000;

/** An MQTT broker, what its clients published, and waits for that. */
export const startBroker = async (
  { host = '127.0.0.1', port = 0, tls }: Listening,
  { received = () => {}, connected = () => {} }: Reactions,
) => {
  const aedes = await Aedes.createBroker();
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  const sockets = new Set<Socket>();
  const accept = (socket: Socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    aedes.handle(socket);
    connected();
  };
  const changed = () => {
    for (const look of waiting) look();
  };
  aedes.on('publish', ({ topic, payload }, client) => {
    if (!client) return;
    const message = { topic, body: JSON.parse(payload.toString()) as Record<string, unknown> };
    received(message);
    messages.push(message);
    changed();
  });
  const server = tls ? createTlsServer(tls, accept) : createServer(accept);
  server.listen(port, host);
  await once(server, 'listening');
  const lastHeard = () => messages.slice(-5).map(({ topic, body }) => `${topic} ${JSON.stringify(body)}`);

  /** Resolves with what `look` gives as soon as it gives something; what the client logged before is read by then. */
  const until = async <T>(look: () => T | undefined, what: string): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const check = () => {
      const found = look();
      if (found !== undefined) resolve(found);
    };
    const late = () => reject(new Error(`no ${what}; the last messages: ${lastHeard().join('\n')}`));
    const timer = setTimeout(late, waitMs);
    waiting.add(check);
    check();
    try {
      const found = await promise;
      await caughtUp();
      return found;
    } finally {
      clearTimeout(timer);
      waiting.delete(check);
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    until,
    /** Has everybody who waits look again. */
    changed,
    /** Publishes a text as it is, anything else as JSON. */
    publish: (topic: string, body: unknown, { qos = 1, retain = false }: { qos?: 0 | 1; retain?: boolean } = {}) =>
      new Promise<void>((resolve, reject) =>
        aedes.publish(
          {
            ...{ cmd: 'publish', topic, qos, retain, dup: false },
            payload: typeof body === 'string' ? body : JSON.stringify(body),
          },
          (error) => (error ? reject(error) : resolve()),
        ),
      ),
    /** Breaks every connection. */
    hangUp: () => {
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => aedes.close(resolve));
      server.close();
    },
  };
};
