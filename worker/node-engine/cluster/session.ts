import type { MqttClient } from 'mqtt';
import type { JobStatusMessage } from '../../contract/job.ts';
import { engineTopics } from '../../contract/topics.ts';
import { explain } from '../../system/explain.ts';
import type { Log } from '../../system/log.ts';
import { acknowledgeMs, endMqtt } from '../../system/mqtt.ts';
import { abortable, deadline, settlesWithin } from '../../system/wait.ts';
import type { Engine } from '../instances/engine.ts';
import { readOrder } from './inbox.ts';
import { nodeFieldsMessage, resourcesMessage } from './messages.ts';
import type { NodeFacts } from './node-facts.ts';
import type { Outbox } from './outbox.ts';
import type { Registration } from './registration.ts';

/** How often a worker speaks, in ms, and after how much silence of its cluster it registers again. */
export type Pace = { readonly report: number; readonly silence: number; readonly betweenRegistrations: number };

/** The contract asks for a report every two seconds. */
export const defaultPace: Pace = { report: 2000, silence: 600_000, betweenRegistrations: 10_000 };

/** How long the broker may wait for the acknowledgement of an order, in ms: nothing else is received meanwhile. */
const takingMs = 2000;

/** How long a session that ends waits for the broker to acknowledge the last messages, in ms. */
const partingMs = 500;

/** What a session works with. `register` resolves with what the worker is now. */
type SessionParts = {
  readonly engine: Engine;
  readonly outbox: Outbox<JobStatusMessage>;
  readonly facts: () => Promise<NodeFacts>;
  readonly runtimes: readonly string[];
  readonly register: () => Promise<Registration>;
  readonly log: Log;
  readonly pace: Pace;
};

/** How long it may take to look at this node and its instances, in ms. */
const reportMs = 10_000;

/** One connection to the broker, as one registered worker. */
export class Session {
  readonly #client: MqttClient;
  readonly #registration: Registration;
  readonly #parts: SessionParts;
  readonly #topics: ReturnType<typeof engineTopics>;
  readonly #over = new AbortController();
  #taken: Promise<void> = Promise.resolve();
  #heard = performance.now();
  #registered = performance.now();
  #reporting = false;
  #reportWanted = false;

  constructor(client: MqttClient, registration: Registration, parts: SessionParts) {
    this.#client = client;
    this.#registration = registration;
    this.#parts = parts;
    this.#topics = engineTopics(registration.id);
  }

  /** Serves until the connection is lost, the worker has become another one or `signal` aborts; resolves with why. */
  async run(signal: AbortSignal): Promise<string> {
    const { outbox, pace } = this.#parts;
    const end = AbortSignal.any([signal, this.#over.signal]);
    const closed = new Promise<string>((resolve) => {
      this.#client.once('close', () => resolve('the connection to the broker was lost'));
      const stop = () => resolve(explain(end.reason));
      // told so while the connection was made
      if (end.aborted) stop();
      end.addEventListener('abort', stop, { once: true });
    });
    this.#client.on('error', (error) => this.#parts.log.warn(`broker: ${explain(error)}`));
    this.#client.on('message', (topic, payload, packet) => {
      this.#taken = this.#receive(topic, payload.toString('utf8'), packet.retain);
    });
    // an order is acknowledged to the broker when it is written down
    this.#client.handleMessage = (packet, acknowledge) => {
      if (packet.qos === 0) return acknowledge();
      void settlesWithin(this.#taken, takingMs).then(() => acknowledge());
    };
    const timers = [this.report, this.#listen].map((look) => setInterval(() => void look.call(this), pace.report));
    try {
      const topics = [this.#topics.deploy, this.#topics.delete, this.#topics.error];
      await this.#acknowledged(this.#client.subscribeAsync(topics, { qos: 1 }), end);
      outbox.attach((message) => this.#publish(this.#topics.job, message));
      void this.report();
      return await closed;
    } finally {
      for (const timer of timers) clearInterval(timer);
      if (this.#client.connected) await outbox.idle(partingMs);
      outbox.detach();
      await endMqtt(this.#client);
    }
  }

  /** Sends the node's fields and what its running instances use; once more when asked for meanwhile. */
  async report(): Promise<void> {
    this.#reportWanted = true;
    if (this.#reporting) return;
    this.#reporting = true;
    while (this.#reportWanted && this.#client.connected) {
      this.#reportWanted = false;
      await this.#reportOnce();
    }
    this.#reporting = false;
  }

  /** Hangs on nothing that a report may wait for. */
  async #listen(): Promise<void> {
    const { silence } = this.#parts.pace;
    if (performance.now() - this.#heard > silence) await this.#registerAgain('the cluster has been silent');
  }

  async #reportOnce(): Promise<void> {
    const { engine, facts, runtimes, log } = this.#parts;
    const { id, ip, dialect } = this.#registration;
    using limit = deadline(this.#over.signal, reportMs, 'measuring this node');
    try {
      const now = await abortable(facts(), limit);
      const instances = await abortable(engine.usage(now.memoryTotal), limit);
      await Promise.all([
        this.#publish(this.#topics.information, nodeFieldsMessage(dialect, { id, ip, runtimes }, now)),
        ...(instances.length > 0 ? [this.#publish(this.#topics.resources, resourcesMessage(dialect, instances))] : []),
      ]);
    } catch (error) {
      log.warn(`the report was not sent: ${explain(error)}`);
    }
  }

  async #publish(topic: string, message: unknown): Promise<void> {
    await this.#acknowledged(this.#client.publishAsync(topic, JSON.stringify(message), { qos: 1 }), this.#over.signal);
  }

  /** Waits for the broker's acknowledgement; one that gives none, though it may answer pings, ends the session. */
  async #acknowledged(sent: Promise<unknown>, signal: AbortSignal): Promise<void> {
    using limit = deadline(signal, acknowledgeMs, "the broker's acknowledgement");
    try {
      await abortable(sent, limit);
    } catch (error) {
      this.#over.abort(explain(error));
      throw error;
    }
  }

  /** Resolves when the order is written down; what is done about it goes on. */
  async #receive(topic: string, payload: string, isRetained: boolean): Promise<void> {
    this.#heard = performance.now();
    const { engine, log } = this.#parts;
    // Orders are for now: one that a broker has kept may have been taken back since.
    if (isRetained) return log.warn(`a retained message on ${topic} is ignored`);
    try {
      const order = readOrder(this.#topics, topic, payload, log.warn);
      if (order?.kind === 'deploy') await engine.deploy(order.job, order.leftOut);
      if (order?.kind === 'delete') await engine.undeploy(order.request);
      if (order?.kind === 'refuse') await engine.refuse(order.request, order.reason);
      if (order?.kind === 'register') void this.#registerAgain(order.reason);
    } catch (error) {
      log.error(`${explain(error)}; the message is ignored`);
    }
  }

  async #registerAgain(why: string): Promise<void> {
    const { register, log, pace } = this.#parts;
    if (performance.now() - this.#registered < pace.betweenRegistrations) return;
    this.#registered = performance.now();
    this.#heard = performance.now();
    log.info(`registering again: ${why}`);
    try {
      const { id, brokerPort, dialect } = await register();
      const old = this.#registration;
      if (id !== old.id || brokerPort !== old.brokerPort || dialect !== old.dialect)
        this.#over.abort(`the cluster knows this worker as ${id} now`);
    } catch (error) {
      log.warn(explain(error));
    }
  }
}
