import { Broker, type BrokerEvents, type Publication } from '../../../lab/cluster/broker.ts';
import type { Deployment, DeploymentSpec } from '../../../lab/cluster/deployment.ts';
import { Dialogue } from '../../../lab/cluster/dialogue.ts';
import { authority, ClusterHttp } from '../../../lab/cluster/http.ts';
import { type ClusterMessage, decode } from '../../../lab/cluster/messages.ts';
import { Watch } from '../../../lab/cluster/watch.ts';
import { objectId } from '../../../lab/cluster/worker.ts';
import { deadline } from '../../../lab/system/wait.ts';
import type { Dialect } from '../../../worker/contract/registration.ts';
import { labAddress } from './namespaces.ts';

/** A broker that can be lost and come back, as the lab's own one. */
export type BrokerControl = Pick<Broker, 'port' | 'start' | 'stop' | 'publish'> & AsyncDisposable;

export type ClusterOptions = {
  readonly dialect: Dialect;
  readonly subnet?: { address: string; addressv6: string };
  readonly broker?: (host: string, events: BrokerEvents) => BrokerControl;
};

const waitMs = 30_000;

/** The cluster's side of the contract, and everything that a worker was heard to say. */
export class ConformanceCluster implements AsyncDisposable {
  readonly address = labAddress.v4;
  readonly messages: ClusterMessage[] = [];
  readonly publications: Publication[] = [];
  readonly connections: string[] = [];
  /** Who has acknowledged a message of QoS 1, as often as that was. */
  readonly acknowledgements: string[] = [];
  readonly subscriptions: { readonly client: string; readonly filter: string; readonly qos: number }[] = [];
  /** Registrations, oldest first. */
  readonly registrations: Record<string, unknown>[] = [];
  /** Topics of what the cluster hears and never answers. */
  readonly ignored = new Set<string>();
  readonly #watch = new Watch(new AbortController().signal);
  readonly #dialogue: Dialogue;
  readonly #broker: BrokerControl;
  readonly #http: ClusterHttp;
  #generation = 0;
  registrationPort = 0;

  constructor({ dialect, subnet, broker = (host, events) => new Broker(host, events) }: ClusterOptions) {
    this.#dialogue = new Dialogue({
      dialect,
      subnet: subnet ?? { address: '10.18.0.64', addressv6: 'fc00::100' },
      watch: this.#watch,
      brokerPort: () => this.#broker.port,
      publish: (topic, text, qos) => this.#broker.publish(topic, text, qos),
      onMessage: (entry) => void this.messages.push(entry),
      identify: (host) => objectId(`${host} ${this.#generation}`),
    });
    this.#broker = broker(this.address, {
      published: (publication) => this.#published(publication),
      connected: (client) => this.#changed(() => this.connections.push(client)),
      disconnected: () => undefined,
      subscribed: (client, filter, qos) => this.#changed(() => this.subscriptions.push({ client, filter, qos })),
      acknowledged: (client) => this.#changed(() => this.acknowledgements.push(client)),
    });
    this.#http = new ClusterHttp((text) => {
      this.registrations.push(decode(text) as Record<string, unknown>);
      return this.#dialogue.register(text);
    });
  }

  get brokerPort(): number {
    return this.#broker.port;
  }

  get id(): string {
    return this.#dialogue.worker?.id ?? '';
  }

  /** What was said against the contract, one line each. */
  get violations(): readonly string[] {
    return this.#dialogue.violations.map(({ topic, problem }) => `${topic}: ${problem}`);
  }

  async start(): Promise<void> {
    await this.#broker.start();
    this.registrationPort = await this.#http.start(this.address);
  }

  /** Registers a node on behalf of a net manager that is tested without its node engine; returns its id. */
  enroll(): string {
    this.#dialogue.register(JSON.stringify({ host: 'conformance' }));
    if (this.id === '') throw new Error('the stand-in cluster refused a registration');
    return this.id;
  }

  /** From now on the cluster knows its worker by another id, as after the loss of its database. */
  forget(): void {
    this.#generation += 1;
  }

  stopBroker = (): Promise<void> => this.#broker.stop();
  startBroker = (): Promise<void> => this.#broker.start();

  deploy(spec: DeploymentSpec): Deployment {
    return this.#dialogue.deploy(spec);
  }

  /** Publishes what a cluster says unasked. */
  send(topic: string, payload: unknown): void {
    this.#broker.publish(topic, typeof payload === 'string' ? payload : JSON.stringify(payload), 0);
  }

  /**
   * Sends a job as it stands. The stand-in does not know it and would delete it as soon as a report named it: reports
   * pass it by from now on.
   */
  sendJob(payload: unknown): void {
    this.ignored.add(`nodes/${this.id}/jobs/resources`);
    this.send(`nodes/${this.id}/control/deploy`, payload);
  }

  /**
   * Sends a job or a delete as {@link sendJob} does, at QoS 1; resolves when the node engine has acknowledged it. With
   * `retain` the broker keeps it for those who come later.
   */
  async order(kind: 'deploy' | 'delete', payload: unknown, retain = false): Promise<void> {
    this.ignored.add(`nodes/${this.id}/jobs/resources`);
    const engine = `${this.id}-ne`;
    const count = () => this.acknowledgements.filter((client) => client === engine).length;
    const before = count();
    this.#broker.publish(`nodes/${this.id}/control/${kind}`, JSON.stringify(payload), 1, retain);
    await this.until(`the acknowledgement of a ${kind}`, () => (count() > before ? true : undefined));
  }

  /** Serves a component; its URL ends with its digest. */
  offer(name: string, bytes: Uint8Array): string {
    const { path, sha256 } = this.#http.add(name, bytes);
    return `http://${authority(this.address, this.registrationPort)}${path}#sha256=${sha256}`;
  }

  /** The payloads that were received on a topic below `nodes/<id>/`. */
  heard(topic: string): readonly Record<string, unknown>[] {
    return this.messages
      .filter((entry) => entry.direction === 'in' && entry.topic === `nodes/${this.id}/${topic}`)
      .map(({ payload }) => payload as Record<string, unknown>);
  }

  /** The status words that were said of an instance, oldest first. */
  statuses(instance = 0): readonly unknown[] {
    return this.heard('job')
      .filter((job) => job['instance'] === instance)
      .map((job) => job['status']);
  }

  /** What `look` gives as soon as it gives something. Throws after half a minute, naming `awaited`. */
  until<T>(awaited: string, look: () => T | undefined, ms = waitMs): Promise<T> {
    return this.#watch.until(awaited, look, deadline(ms, awaited));
  }

  /** The next message on a topic below `nodes/<id>/` that `accept` takes. */
  next(topic: string, accept: (message: Record<string, unknown>) => boolean = () => true, ms = waitMs) {
    const before = this.heard(topic).length;
    return this.until(`a message on ${topic}`, () => this.heard(topic).slice(before).find(accept), ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#broker[Symbol.asyncDispose](), this.#http[Symbol.asyncDispose]()]);
  }

  #published(publication: Publication): void {
    this.publications.push(publication);
    if (!this.ignored.has(publication.topic)) this.#dialogue.received(publication);
    else this.#changed(() => this.messages.push(ignoredMessage(publication)));
  }

  #changed(change: () => unknown): void {
    change();
    this.#watch.changed();
  }
}

const ignoredMessage = ({ topic, client, text }: Publication): ClusterMessage => ({
  ms: performance.now(),
  direction: 'in',
  topic,
  client,
  payload: decode(text),
});
