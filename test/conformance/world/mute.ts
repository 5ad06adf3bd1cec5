import type { BrokerEvents } from '../../../lab/cluster/broker.ts';
import { startMuteBroker } from '../../support/servers/mute-broker.ts';
import type { BrokerControl } from './cluster.ts';

/** A broker that accepts clients and answers pings, and acknowledges nothing that they send. */
export class MuteBroker implements BrokerControl {
  readonly #host: string;
  readonly #events: BrokerEvents;
  #running: Awaited<ReturnType<typeof startMuteBroker>> | undefined;

  constructor(host: string, events: BrokerEvents) {
    this.#host = host;
    this.#events = events;
  }

  get port(): number {
    return this.#running?.port ?? 0;
  }

  async start(): Promise<void> {
    const answers = { connect: true, subscribe: false };
    this.#running = await startMuteBroker(answers, this.#host, () => this.#events.connected('somebody'));
  }

  async stop(): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
  }

  publish(): void {
    // It says nothing.
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
