import type { SubnetResult } from '../../worker/contract/net-mqtt.ts';
import type { Dialect } from '../../worker/contract/registration.ts';
import { engineTopics } from '../../worker/contract/topics.ts';
import { Broker } from './broker.ts';
import type { Deployment, DeploymentSpec } from './deployment.ts';
import { Dialogue } from './dialogue.ts';
import { authority, ClusterHttp } from './http.ts';
import type { ClusterMessage, Violation } from './messages.ts';
import type { ServiceAddresses } from './service-table.ts';
import type { TableFault } from './table-answers.ts';
import { Watch } from './watch.ts';
import { covers, type RegisteredWorker } from './worker.ts';

export type ClusterOptions = {
  /** Address to listen on. */
  readonly listen: string;
  /** Host by which a worker reaches that address. */
  readonly advertise: string;
  /** Default `403`. */
  readonly dialect?: Dialect;
  /** The network addresses of the first worker's pools, IPv4 /26 and IPv6 /120; those of the next ones follow. */
  readonly subnet: SubnetResult;
  /** The hosts of its workers, in the order of their pools; one worker on any host when left out. */
  readonly hosts?: readonly string[] | undefined;
  /** Called with every message in either direction, `information` and resource reports included. */
  readonly onMessage?: (entry: ClusterMessage) => void;
  /** Ends every wait on the cluster. */
  readonly signal?: AbortSignal;
};

/**
 * The part of an Oakestra cluster that workers talk to (contract, sections 1, 2 and 5): registration, broker, subnets,
 * service table, deployments and artifacts. What the workers send is checked against the contract; what breaks it is
 * collected in {@link violations} and never stops the cluster.
 */
export class Cluster implements AsyncDisposable {
  /** The host by which a worker reaches the cluster. */
  readonly address: string;
  readonly #listen: string;
  readonly #closing = new AbortController();
  readonly #watch: Watch;
  readonly #dialogue: Dialogue;
  readonly #broker: Broker;
  readonly #http: ClusterHttp;
  /** The filters that each connected client is subscribed to. */
  readonly #subscriptions = new Map<string, Set<string>>();
  #registrationPort = 0;

  /** Use {@link startCluster}. */
  constructor({ listen, advertise, dialect = '403', subnet, hosts, onMessage, signal }: ClusterOptions) {
    this.address = advertise;
    this.#listen = listen;
    this.#watch = new Watch(AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]));
    this.#dialogue = new Dialogue({
      dialect,
      subnet,
      hosts,
      watch: this.#watch,
      brokerPort: () => this.#broker.port,
      publish: (topic, text, qos) => this.#broker.publish(topic, text, qos),
      onMessage,
    });
    this.#broker = new Broker(listen, {
      published: (publication) => this.#dialogue.received(publication),
      connected: (client) => this.#connected(client),
      disconnected: (client) => this.#subscriptions.delete(client),
      subscribed: (client, filter, qos) => this.#subscribed(client, filter, qos),
    });
    this.#http = new ClusterHttp((text) => this.#dialogue.register(text));
  }

  /** Where a worker registers and fetches artifacts. */
  get registrationPort(): number {
    return this.#registrationPort;
  }

  get brokerPort(): number {
    return this.#broker.port;
  }

  /** What the worker sent that the contract does not allow, in order. */
  get violations(): readonly Violation[] {
    return this.#dialogue.violations;
  }

  async start(): Promise<void> {
    await this.#broker.start();
    this.#registrationPort = await this.#http.start(this.#listen);
  }

  /** Drops every MQTT connection and refuses new ones. */
  stopBroker(): Promise<void> {
    this.#subscriptions.clear();
    return this.#broker.stop();
  }

  /** Listens again on the same port, without any session of before. */
  startBroker(): Promise<void> {
    return this.#broker.start();
  }

  /** A restart: every connection is dropped, and who wanted to hear of what is forgotten. */
  async restart(): Promise<void> {
    await this.stopBroker();
    this.#dialogue.forgetInterests();
    await this.startBroker();
  }

  /** How answers to table queries go wrong from now on. */
  answerTables(fault: TableFault): void {
    this.#dialogue.tableFault = fault;
  }

  /** The worker on a host, once it has registered; the first one when no host is named. */
  registered(signal: AbortSignal, host?: string): Promise<RegisteredWorker> {
    const awaited = host === undefined ? 'a worker to register' : `the worker on ${host} to register`;
    return this.#watch.until(awaited, () => this.#dialogue.workerOn(host), signal);
  }

  /**
   * Resolves when a deploy sent now to the worker on `host`, the first one when left out, would reach its node engine
   * and find a net manager that has its subnet.
   */
  async networkReady(signal: AbortSignal, host?: string): Promise<void> {
    const worker = await this.registered(signal, host);
    const client = `${worker.id}-ne`;
    const topic = engineTopics(worker.id).deploy;
    const asked = () => this.#dialogue.hasSubnet(host) || undefined;
    await this.#watch.until('the net manager to ask for its subnet', asked, signal);
    const listens = () => [...(this.#subscriptions.get(client) ?? [])].some((filter) => covers(filter, topic));
    await this.#watch.until(`client ${client} to subscribe to ${topic}`, () => listens() || undefined, signal);
  }

  /** Serves `bytes` and returns their URL at the advertised address; it ends with `#sha256=<hex>`. */
  publishArtifact(name: string, bytes: Uint8Array): string {
    const { path, sha256 } = this.#http.add(name, bytes);
    return `http://${authority(this.address, this.#registrationPort)}${path}#sha256=${sha256}`;
  }

  /** Serves what {@link publishArtifact} gave a URL to no longer. */
  withdrawArtifact(url: string): void {
    this.#http.remove(new URL(url).pathname);
  }

  /** Whether both daemons of the worker on `host`, the first one when left out, are connected to the broker. */
  isConnected(host?: string): boolean {
    const id = this.#dialogue.workerOn(host)?.id;
    return id !== undefined && this.#subscriptions.has(id) && this.#subscriptions.has(`${id}-ne`);
  }

  /** Sends `control/deploy` to the worker on `host`, the first one when left out. Throws when it has not registered. */
  deploy(spec: DeploymentSpec, host?: string): Deployment {
    return this.#dialogue.deploy(spec, host);
  }

  /** The addresses of a service and of one of its instances, once it was deployed. */
  addressesOf(service: string, instance: number): ServiceAddresses | undefined {
    return this.#dialogue.addressesOf(service, instance);
  }

  /** Takes the worker on a host for lost: none of its instances is anywhere from now on, and who wants to know is told. */
  workerLost(host: string): void {
    this.#dialogue.workerLost(host);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the cluster was closed'));
    await Promise.all([this.#broker.stop(), this.#http[Symbol.asyncDispose]()]);
  }

  #connected(client: string): void {
    this.#subscriptions.set(client, new Set());
    const expected = this.#dialogue.workers.flatMap(({ id }) => [id, `${id}-ne`]);
    if (expected.includes(client)) return;
    const named = (expected.length > 0 ? expected : ['<id>', '<id>-ne']).map((one) => `'${one}'`);
    this.#dialogue.violate('CONNECT', `expected client ${named.join(' or ')}`, client);
  }

  #subscribed(client: string, filter: string, qos: number): void {
    if (qos !== 1) this.#dialogue.violate(filter, `subscribed at QoS ${qos}, expected 1`, client);
    this.#subscriptions.get(client)?.add(filter);
    this.#watch.changed();
  }
}

/** Starts a {@link Cluster} on two ports that the kernel chooses. Throws when `listen` cannot be bound. */
export const startCluster = async (options: ClusterOptions): Promise<Cluster> => {
  const cluster = new Cluster(options);
  await using undo = new AsyncDisposableStack();
  undo.use(cluster);
  await cluster.start();
  undo.move();
  return cluster;
};
