import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Aedes } from 'aedes';

export type Message = { readonly topic: string; readonly body: Record<string, unknown> };

/** How the broker is reached, where it is not at 127.0.0.1 without TLS. */
export type Listening = { readonly host?: string; readonly port?: number; readonly tls?: TlsOptions };

/** A broker that answers subnet requests, and what was published on it. */
export const startCluster = async (
  subnet = { address: '10.10.0.0', addressv6: 'fc00::100' },
  listening: Listening = {},
) => {
  const aedes = await Aedes.createBroker();
  const server = listening.tls ? createTlsServer(listening.tls, aedes.handle) : createServer(aedes.handle);
  server.listen(listening.port ?? 0, listening.host ?? '127.0.0.1');
  await once(server, 'listening');
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  const publish = (topic: string, body: unknown) =>
    new Promise<void>((resolve, reject) =>
      aedes.publish(
        { cmd: 'publish', topic, payload: JSON.stringify(body), qos: 1, retain: false, dup: false },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  aedes.on('publish', ({ topic, payload }, client) => {
    if (!client) return;
    messages.push({ topic, body: JSON.parse(payload.toString()) as Record<string, unknown> });
    for (const look of waiting) look();
    const id = /^nodes\/(?<id>[^/]+)\/net\/subnet$/.exec(topic)?.groups?.['id'];
    if (id !== undefined) void publish(`nodes/${id}/net/subnetwork/result`, subnet);
  });
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    publish,
    /** The first message, past or future, that `accept` takes. */
    message: (accept: (message: Message) => boolean): Promise<Message> => {
      const { promise, resolve } = Promise.withResolvers<Message>();
      const look = () => {
        const found = messages.find(accept);
        if (found) resolve(found);
      };
      waiting.add(look);
      look();
      return promise.finally(() => waiting.delete(look));
    },
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => aedes.close(resolve));
      server.close();
    },
  };
};
