import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';

/** What a client sent, before the broker hands it on. */
export type Publication = {
  readonly client: string;
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
  /** The client had sent it before, and may have had no acknowledgement. */
  readonly dup: boolean;
};

/** What a broker tells its owner. */
export type BrokerEvents = {
  readonly published: (publication: Publication) => void;
  readonly connected: (client: string) => void;
  readonly disconnected: (client: string) => void;
  /** `client` was granted `filter` at `qos`: what is published to it from now on arrives. */
  readonly subscribed: (client: string, filter: string, qos: number) => void;
  /** `client` has acknowledged a message of QoS 1. */
  readonly acknowledged?: (client: string) => void;
};

type Running = { readonly aedes: Aedes; readonly server: Server; readonly sockets: Set<Socket> };

const observe = (aedes: Aedes, events: BrokerEvents): void => {
  aedes.authorizePublish = (client, packet, done) => {
    if (client)
      events.published({
        client: client.id,
        topic: packet.topic,
        text: packet.payload.toString(),
        qos: packet.qos,
        retain: packet.retain,
        dup: packet.dup,
      });
    done(null);
  };
  aedes.on('clientReady', (client) => events.connected(client.id));
  aedes.on('clientDisconnect', (client) => events.disconnected(client.id));
  aedes.on('subscribe', (subscriptions, client) => {
    for (const { topic, qos } of subscriptions) events.subscribed(client.id, topic, qos);
  });
  aedes.on('ack', (_, client) => events.acknowledged?.(client.id));
};

/** An embedded MQTT 3.1.1 broker that can be stopped and started again on its port, as a lost broker would be. */
export class Broker implements AsyncDisposable {
  readonly #host: string;
  readonly #events: BrokerEvents;
  #port = 0;
  #running: Running | undefined;

  constructor(host: string, events: BrokerEvents) {
    this.#host = host;
    this.#events = events;
  }

  /** The TCP port, chosen by the kernel at the first start and kept from then on; 0 before. */
  get port(): number {
    return this.#port;
  }

  /** Listens; does nothing when it runs. A restarted broker knows no sessions. */
  async start(): Promise<void> {
    if (this.#running) return;
    const aedes = await Aedes.createBroker();
    observe(aedes, this.#events);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      aedes.handle(socket);
    });
    server.listen(this.#port, this.#host);
    await once(server, 'listening');
    const address = server.address();
    if (address && typeof address === 'object') this.#port = address.port;
    this.#running = { aedes, server, sockets };
  }

  /** Drops every connection and stops listening; does nothing when it is stopped. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    const closed = once(running.server, 'close');
    running.server.close();
    for (const socket of running.sockets) socket.destroy();
    await new Promise<void>((resolve) => running.aedes.close(resolve));
    await closed;
  }

  /**
   * Hands `text` to the subscribers of `topic`, and with `retain` to later ones, too. On a stopped broker the message is
   * lost, as it would be for real.
   */
  publish(topic: string, text: string, qos: 0 | 1, retain = false): void {
    const packet = { cmd: 'publish', topic, payload: Buffer.from(text), qos, retain, dup: false } as const;
    this.#running?.aedes.publish(packet, () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
