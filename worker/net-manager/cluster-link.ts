import { readFile } from 'node:fs/promises';
import mqtt, { type MqttClient } from 'mqtt';
import type { Static, TSchema } from 'typebox';
import { parseJson } from '../contract/check.ts';
import { type ServiceDeployed, SubnetResult } from '../contract/net-mqtt.ts';
import { netTopics } from '../contract/topics.ts';
import type { Log } from '../system/log.ts';

/** Where a cluster's broker is and how to speak to it. */
export type Broker = {
  readonly host: string;
  readonly port: number;
  /** PEM files of a client certificate; both make the connection TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
};

/** The net manager's connection to its cluster. It keeps trying for as long as it is open. */
export type ClusterLink = AsyncDisposable & {
  /** What stands in the way at present, or undefined when connected. */
  readonly trouble: string | undefined;
  /** Asks for the node's addresses, again and again, until they come. Rejects when `signal` aborts. */
  readonly subnet: (signal: AbortSignal) => Promise<SubnetResult>;
  /** Sends as soon as there is a connection. */
  readonly publish: (topic: 'serviceDeployed' | 'addressChanged', message: ServiceDeployed) => void;
};

const askAgainMs = 3_000;

/** Opens the connection as client `id`; it does not wait for the broker. */
export const openClusterLink = async (broker: Broker, id: string, log: Log): Promise<ClusterLink> => {
  const topics = netTopics(id);
  const url = `${broker.certificate ? 'mqtts' : 'mqtt'}://${broker.host.includes(':') ? `[${broker.host}]` : broker.host}:${broker.port}`;
  const tls = broker.certificate && {
    cert: await readFile(broker.certificate.cert),
    key: await readFile(broker.certificate.key),
  };
  const client: MqttClient = mqtt.connect(url, { clientId: id, reconnectPeriod: 1_000, connectTimeout: 5_000, ...tls });
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

  const publish = (topic: string, message: unknown) =>
    client.publish(topic, JSON.stringify(message), { qos: 1 }, (error) => {
      if (error) log.warn(`${topic}: not sent: ${error.message}`);
    });

  const listeners = new Map<string, (text: string) => void>();
  client.on('message', (topic, payload) => listeners.get(topic)?.(payload.toString()));

  const receive = <T extends TSchema>(topic: string, schema: T, take: (message: Static<T>) => void): void => {
    listeners.set(topic, (text) => {
      try {
        take(parseJson(schema, text, topic));
      } catch (error) {
        log.warn((error as Error).message);
      }
    });
  };

  return {
    get trouble() {
      return trouble;
    },
    subnet: (signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<SubnetResult>();
      receive(topics.subnetResult, SubnetResult, resolve);
      const ask = () => {
        if (!client.connected) return;
        // An answer that comes before the subscription stands would be lost.
        client.subscribe(topics.subnetResult, { qos: 1 }, (error) => {
          if (!error) publish(topics.subnetRequest, { METHOD: 'GET' });
        });
      };
      const giveUp = () => reject(signal.reason);
      client.on('connect', ask);
      ask();
      const again = setInterval(ask, askAgainMs);
      signal.addEventListener('abort', giveUp, { once: true });
      return promise.finally(() => {
        clearInterval(again);
        client.off('connect', ask);
        signal.removeEventListener('abort', giveUp);
      });
    },
    publish: (topic, message) => {
      publish(topics[topic], message);
    },
    [Symbol.asyncDispose]: async () => {
      await client.endAsync(true);
    },
  };
};
