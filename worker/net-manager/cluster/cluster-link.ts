import mqtt, { type MqttClient } from 'mqtt';
import type { Static, TSchema } from 'typebox';
import { readJson } from '../../contract/read.ts';
import type { Log } from '../../system/log.ts';
import { type TlsFiles, tlsOptions, trustSystemCertificates } from '../../system/trust.ts';

/** Where a cluster's broker is and how to speak to it. */
export type Broker = {
  readonly host: string;
  readonly port: number;
  /** Set when the connection is TLS. */
  readonly tls?: TlsFiles | undefined;
};

/** The net manager's connection to its cluster's broker. It keeps trying for as long as it is open. */
export type ClusterLink = AsyncDisposable & {
  /** What stands in the way at present, or undefined when connected. */
  readonly trouble: string | undefined;
  /** Sends a message as soon as there is a connection. */
  readonly publish: (topic: string, message: object) => void;
  /** Takes the messages of a topic that fit the schema; resolves when the broker first agrees to send them. */
  readonly subscribe: <T extends TSchema>(
    topic: string,
    schema: T,
    take: (message: Static<T>) => void,
  ) => Promise<void>;
  readonly unsubscribe: (topic: string) => void;
  /** Calls back whenever the connection comes to stand; the result stops that. */
  readonly onConnect: (listener: () => void) => Disposable;
};

/** Opens the connection as client `id`; it does not wait for the broker. Throws when a certificate can't be read. */
export const openClusterLink = async (broker: Broker, id: string, log: Log): Promise<ClusterLink> => {
  const { host, port, tls } = broker;
  const protocol = tls ? 'mqtts' : 'mqtt';
  const url = `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const secure = tls && (await tlsOptions(tls));
  // Without a URL: the client would parse one with an outdated function and warn on every start.
  const client: MqttClient = mqtt.connect({
    host,
    port,
    protocol,
    clientId: id,
    keepalive: 15,
    reconnectPeriod: 1_000,
    connectTimeout: 5_000,
    resubscribe: false,
    ...secure,
  });
  // The cluster's authority may come into the system's store later.
  if (tls) client.on('reconnect', () => void trustSystemCertificates());
  let trouble: string | undefined = `${url}: not connected yet`;
  client.on('connect', () => {
    trouble = undefined;
    log.info(`connected to the broker ${url} as ${id}`);
  });
  client.on('error', (error) => {
    const text = `${url}: ${error.message || (error as NodeJS.ErrnoException).code}`;
    if (text !== trouble) log.warn(`broker ${text}; trying again`);
    trouble = text;
  });
  client.on('close', () => {
    trouble ??= `${url}: the connection was lost`;
  });

  const subscriptions = new Map<string, { readonly take: (text: string) => void; readonly agreed: () => void }>();
  client.on('message', (topic, payload) => subscriptions.get(topic)?.take(payload.toString()));
  const request = (topic: string) =>
    client.subscribe(topic, { qos: 1 }, (error) => {
      if (error) log.debug(`${topic}: not subscribed: ${error.message}`);
      else subscriptions.get(topic)?.agreed();
    });
  client.on('connect', () => {
    for (const topic of subscriptions.keys()) request(topic);
  });

  return {
    get trouble() {
      return trouble;
    },
    publish: (topic, message) => {
      client.publish(topic, JSON.stringify(message), { qos: 1 }, (error) => {
        if (error) log.warn(`${topic}: not sent: ${error.message}`);
      });
    },
    subscribe: (topic, schema, take) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const checked = (text: string) => {
        try {
          take(readJson(schema, text, topic, log.warn));
        } catch (error) {
          log.warn((error as Error).message);
        }
      };
      subscriptions.set(topic, { take: checked, agreed: resolve });
      if (client.connected) request(topic);
      return promise;
    },
    unsubscribe: (topic) => {
      subscriptions.delete(topic);
      if (client.connected) client.unsubscribe(topic);
    },
    onConnect: (listener) => {
      client.on('connect', listener);
      return { [Symbol.dispose]: () => void client.off('connect', listener) };
    },
    [Symbol.asyncDispose]: async () => {
      await client.endAsync(true);
    },
  };
};
