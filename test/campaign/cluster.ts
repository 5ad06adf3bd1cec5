import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { Aedes, type Client } from 'aedes';
import { Dialogue } from '../../lab/cluster/dialogue.ts';
import { ClusterHttp } from '../../lab/cluster/http.ts';
import { deleteDocument } from '../../lab/cluster/job.ts';
import type { ClusterMessage } from '../../lab/cluster/messages.ts';
import { Watch } from '../../lab/cluster/watch.ts';
import { engineTopics } from '../../worker/contract/topics.ts';
import { type Order, Record } from './record.ts';
import type { Planned } from './schedule.ts';

const host = '127.0.0.1';

/** A broker of the campaign, from its start to its stop. */
type Running = { readonly aedes: Aedes; readonly stop: () => Promise<void> };

/**
 * The lab's side of the dialogue over a broker that can be away or mute, that sends orders at QoS 1 and sees which of
 * them the worker has acknowledged.
 */
export const startCluster = async (signal: AbortSignal) => {
  const record = new Record();
  const watch = new Watch(signal);
  const orders = new WeakMap<Buffer, Order>();
  let running: Running | undefined;
  let port = 0;
  let isMute = false;
  /** The client that takes orders, while it is connected. */
  let listening: string | undefined;
  const publish = (topic: string, text: string): void => {
    const payload = Buffer.from(text);
    const order = record.orderOn(topic, text);
    if (order) orders.set(payload, order);
    running?.aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, () => undefined);
  };
  const dialogue: Dialogue = new Dialogue({
    dialect: '403',
    subnet: { address: '10.10.0.0', addressv6: 'fc00::100' },
    watch,
    brokerPort: () => port,
    publish,
    onMessage: (message: ClusterMessage) => record.hear(message),
  });

  const startBroker = async (): Promise<void> => {
    if (running) return;
    const aedes = await Aedes.createBroker();
    const unanswered = new WeakMap<Client, (Order | undefined)[]>();
    aedes.authorizePublish = (client, packet, done) => {
      // a packet of QoS 0 is not answered
      if (isMute) packet.qos = 0;
      else if (client) {
        const { topic, payload, qos, retain, dup } = packet;
        dialogue.received({ client: client.id, topic, text: payload.toString(), qos, retain, dup });
      }
      done(null);
    };
    aedes.authorizeForward = (client, packet) => {
      const waiting = unanswered.get(client) ?? [];
      unanswered.set(client, [...waiting, orders.get(packet.payload as Buffer)]);
      return packet;
    };
    // in the order in which they were sent (MQTT 3.1.1, section 4.6)
    aedes.on('subscribe', (subscriptions, { id }) => {
      if (subscriptions.some(({ topic }) => topic === engineTopics(dialogue.worker?.id ?? '').delete)) listening = id;
      watch.changed();
    });
    aedes.on('clientDisconnect', ({ id }) => {
      if (listening === id) listening = undefined;
    });
    aedes.on('ack', (_, client) => {
      const [first, ...others] = unanswered.get(client) ?? [];
      unanswered.set(client, others);
      if (first) record.acknowledged(first);
    });
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('close', () => sockets.delete(socket)));
      aedes.handle(socket);
    });
    server.listen(port, host);
    await once(server, 'listening');
    const address = server.address();
    if (address && typeof address === 'object') port = address.port;
    const stop = async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => aedes.close(resolve));
      await closed;
    };
    running = { aedes, stop };
  };
  const stopBroker = async (): Promise<void> => {
    const { stop } = running ?? {};
    listening = undefined;
    running = undefined;
    await stop?.();
  };

  await startBroker();
  const http = new ClusterHttp((text) => dialogue.register(text));
  const registrationPort = await http.start(host);
  return {
    record,
    registrationPort,
    brokerPort: port,
    startBroker,
    stopBroker,
    /** A mute broker hears nothing and acknowledges nothing of what is published; it answers pings. */
    mute: (on: boolean) => {
      isMute = on;
    },
    violations: () => dialogue.violations,
    publishArtifact: (name: string, bytes: Uint8Array): string => {
      const { path, sha256 } = http.add(name, bytes);
      return `http://${host}:${registrationPort}${path}#sha256=${sha256}`;
    },
    deploy: ({ service, instance, port: ports, oneShot }: Planned, image: string): void =>
      void dialogue.deploy({ service, instance, image, port: ports, memory: 100, oneShot }),
    delete: (planned: Planned): void =>
      publish(engineTopics(dialogue.worker?.id ?? '').delete, JSON.stringify(deleteDocument(planned))),
    /** Resolves when an order sent now would find a worker with a network. */
    ready: () =>
      watch.until('the worker', () => (dialogue.hasSubnet() && listening !== undefined) || undefined, signal),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([stopBroker(), http[Symbol.asyncDispose]()]);
    },
  };
};

export type CampaignCluster = Awaited<ReturnType<typeof startCluster>>;
