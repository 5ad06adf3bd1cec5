import type { Static, TSchema } from 'typebox';
import { readJson } from '../../contract/read.ts';
import type { Log } from '../../system/log.ts';
import { acknowledgeMs, type Broker, endMqtt, maxMessageBytes, openMqtt } from '../../system/mqtt.ts';
import { shortenedFrom } from '../../system/mqtt-limit.ts';

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

const lookMs = 1000;

/** What was sent and has to be acknowledged, and since when it could have been. */
const acknowledgements = () => {
  const waiting = new Set<{ since: number }>();
  return {
    /** To be called when something is sent; the result when it was acknowledged or given up. */
    await: (): (() => void) => {
      const one = { since: performance.now() };
      waiting.add(one);
      return () => void waiting.delete(one);
    },
    /** Begins anew: on a new connection everything is sent again. */
    restart: () => {
      for (const one of waiting) one.since = performance.now();
    },
    areLate: () => [...waiting].some(({ since }) => performance.now() - since > acknowledgeMs),
  };
};

/** Opens the connection as client `id`; it does not wait for the broker. Throws when a certificate can't be read. */
export const openClusterLink = async (broker: Broker, id: string, log: Log): Promise<ClusterLink> => {
  const { host, port, tls } = broker;
  const url = `${tls ? 'mqtts' : 'mqtt'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const options = { clientId: id, keepalive: 15, reconnectPeriod: 1_000, connectTimeout: 5_000, resubscribe: false };
  const client = await openMqtt(broker, options, (bytes) =>
    log.warn(`a message of ${bytes} bytes is ignored: no message of a cluster is longer than ${maxMessageBytes}`),
  );
  let trouble: string | undefined = `${url}: not connected yet`;
  const late = acknowledgements();
  client.on('connect', () => {
    trouble = undefined;
    late.restart();
    log.info(`connected to the broker ${url} as ${id}`);
  });
  const fail = (why: string) => {
    const text = `${url}: ${why}`;
    if (text !== trouble) log.warn(`broker ${text}; trying again`);
    trouble = text;
  };
  client.on('error', (error) => fail(error.message || String((error as NodeJS.ErrnoException).code)));
  client.on('close', () => {
    trouble ??= `${url}: the connection was lost`;
  });
  // A broker may answer pings and nothing else.
  const watch = setInterval(() => {
    if (!client.connected || !late.areLate()) return;
    fail(`the broker has acknowledged nothing for ${acknowledgeMs / 1000} s`);
    client.stream.destroy();
  }, lookMs).unref();

  const subscriptions = new Map<string, { readonly take: (text: string) => void; readonly agreed: () => void }>();
  client.on('message', (topic, payload) => {
    const text = payload.toString();
    if (shortenedFrom(text) === undefined) subscriptions.get(topic)?.take(text);
  });
  const request = (topic: string) => {
    const answered = late.await();
    client.subscribe(topic, { qos: 1 }, (error) => {
      answered();
      if (error) log.debug(`${topic}: not subscribed: ${error.message}`);
      else subscriptions.get(topic)?.agreed();
    });
  };
  client.on('connect', () => {
    for (const topic of subscriptions.keys()) request(topic);
  });

  return {
    get trouble() {
      return trouble;
    },
    publish: (topic, message) => {
      const acknowledged = late.await();
      client.publish(topic, JSON.stringify(message), { qos: 1 }, (error) => {
        acknowledged();
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
      clearInterval(watch);
      await endMqtt(client);
    },
  };
};
