import { taskId } from '../../worker/contract/names.ts';
import { type Dialect, registrationPath } from '../../worker/contract/registration.ts';
import { engineTopics, netTopics, updatesTopic } from '../../worker/contract/topics.ts';
import { Broker, type Publication } from './broker.ts';
import { Deployment, type DeploymentSpec } from './deployment.ts';
import { type Answer, authority, ClusterHttp } from './http.ts';
import { type Inbound, inspect, inspectRegistration } from './inspect.ts';
import { deleteDocument, jobDocument } from './job.ts';
import { type ClusterMessage, decode, type ServiceResources, type Violation } from './messages.ts';
import { ServiceTable } from './service-table.ts';
import { Watch } from './watch.ts';
import { covers, objectId, type RegisteredWorker } from './worker.ts';

export type ClusterOptions = {
  /** Address to listen on. */
  readonly listen: string;
  /** Host by which a worker reaches that address. */
  readonly advertise: string;
  /** Default `403`. */
  readonly dialect?: Dialect;
  /** The network addresses of the worker's pools, IPv4 /26 and IPv6 /120. */
  readonly subnet: { readonly address: string; readonly addressv6: string };
  /** Called with every message in either direction, `information` and resource reports included. */
  readonly onMessage?: (entry: ClusterMessage) => void;
  /** Ends every wait on the cluster. */
  readonly signal?: AbortSignal;
};

/**
 * The part of an Oakestra cluster that one worker talks to (contract, sections 1, 2 and 5): registration, broker,
 * subnet, service table, deployments and artifacts. What the worker sends is checked against the contract;
 * departures are collected in {@link violations} and never stop the cluster.
 */
export class Cluster implements AsyncDisposable {
  /** The host by which a worker reaches the cluster. */
  readonly address: string;
  readonly #options: ClusterOptions;
  readonly #dialect: Dialect;
  readonly #closing = new AbortController();
  readonly #watch: Watch;
  readonly #broker: Broker;
  readonly #http = new ClusterHttp((text) => this.#register(text));
  readonly #table = new ServiceTable();
  readonly #deployments = new Map<string, Deployment>();
  readonly #violations: Violation[] = [];
  /** The filters that each connected client is subscribed to. */
  readonly #subscriptions = new Map<string, Set<string>>();
  #registrationPort = 0;
  #worker: RegisteredWorker | undefined;
  #subnetAnswered = false;

  /** Use {@link startCluster}. */
  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#dialect = options.dialect ?? '403';
    this.address = options.advertise;
    this.#watch = new Watch(AbortSignal.any([this.#closing.signal, ...(options.signal ? [options.signal] : [])]));
    this.#broker = new Broker(options.listen, {
      published: (publication) => this.#received(publication),
      connected: (client) => this.#connected(client),
      disconnected: (client) => this.#subscriptions.delete(client),
      subscribed: (client, filter, qos) => this.#subscribed(client, filter, qos),
    });
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
    return this.#violations;
  }

  async start(): Promise<void> {
    await this.#broker.start();
    this.#registrationPort = await this.#http.start(this.#options.listen);
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

  /** The worker, once it has registered. */
  registered(signal: AbortSignal): Promise<RegisteredWorker> {
    return this.#watch.until('a worker to register', () => this.#worker, signal);
  }

  /** Resolves when a deploy sent now would reach the node engine and find a net manager that has its subnet. */
  async networkReady(signal: AbortSignal): Promise<void> {
    const worker = await this.registered(signal);
    const client = `${worker.id}-ne`;
    const topic = engineTopics(worker.id).deploy;
    await this.#watch.until('the net manager to ask for its subnet', () => this.#subnetAnswered || undefined, signal);
    const listens = () => [...(this.#subscriptions.get(client) ?? [])].some((filter) => covers(filter, topic));
    await this.#watch.until(`client ${client} to subscribe to ${topic}`, () => listens() || undefined, signal);
  }

  /** Serves `bytes` and returns their URL at the advertised address; it ends with `#sha256=<hex>`. */
  publishArtifact(name: string, bytes: Uint8Array): string {
    const { path, sha256 } = this.#http.add(name, bytes);
    return `http://${authority(this.address, this.#registrationPort)}${path}#sha256=${sha256}`;
  }

  /** Sends `control/deploy`. Throws when no worker has registered. */
  deploy(spec: DeploymentSpec): Deployment {
    const worker = this.#worker;
    if (!worker) throw new Error(`cannot deploy ${spec.service}: no worker has registered; await registered() first`);
    const task = taskId(spec.service, spec.instance);
    const topics = engineTopics(worker.id);
    const deployment = new Deployment(task, this.#watch, () =>
      this.#send(topics.delete, deleteDocument(spec), 0, task),
    );
    this.#deployments.set(task, deployment);
    this.#table.schedule(spec.service, spec.instance);
    this.#send(topics.deploy, jobDocument(spec, worker), 0, task);
    return deployment;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the cluster was closed'));
    this.#watch.changed();
    await Promise.all([this.#broker.stop(), this.#http[Symbol.asyncDispose]()]);
  }

  #register(text: string): Answer {
    const payload = decode(text);
    const topic = `POST ${registrationPath}`;
    this.#entry({ ms: performance.now(), direction: 'in', topic, payload });
    const { problems, refused } = inspectRegistration(payload, this.#dialect);
    for (const problem of problems) this.#violate(topic, problem);
    if (refused || typeof payload !== 'object' || payload === null)
      return { status: 500, body: { message: problems.join('; ') } };
    const fields = payload as Record<string, unknown>;
    const host = String(fields['host'] ?? '');
    if (this.#worker && this.#worker.host !== host) {
      const message = `this cluster has its worker already: '${this.#worker.host}', not '${host}'`;
      this.#violate(topic, message);
      return { status: 500, body: { message } };
    }
    const id = objectId(host);
    this.#worker = { id, host, architecture: String(fields['architecture'] ?? ''), fields };
    this.#watch.changed();
    return { status: 200, body: { id, MQTT_BROKER_PORT: String(this.brokerPort) } };
  }

  #connected(client: string): void {
    const id = this.#worker?.id;
    this.#subscriptions.set(client, new Set());
    if (id === undefined || (client !== id && client !== `${id}-ne`))
      this.#violate('CONNECT', `expected client '${id ?? '<id>'}' or '${id ?? '<id>'}-ne'`, client);
  }

  #subscribed(client: string, filter: string, qos: number): void {
    if (qos !== 1) this.#violate(filter, `subscribed at QoS ${qos}, expected 1`, client);
    this.#subscriptions.get(client)?.add(filter);
    this.#watch.changed();
  }

  #received(publication: Publication): void {
    const { client, topic } = publication;
    const payload = decode(publication.text);
    const entry: ClusterMessage = { ms: performance.now(), direction: 'in', topic, client, payload };
    this.#entry(entry);
    const { message, problems } = inspect(publication, payload, {
      id: this.#worker?.id ?? '',
      dialect: this.#dialect,
      task: (id) => {
        const deployment = this.#deployments.get(id);
        return deployment ? (deployment.ended ? 'ended' : 'live') : 'unknown';
      },
    });
    for (const problem of problems) this.#violate(topic, problem, client);
    if (message) this.#accept(message, entry);
    this.#watch.changed();
  }

  #accept(message: Inbound, entry: ClusterMessage): void {
    const topics = netTopics(this.#worker?.id ?? '');
    switch (message.kind) {
      case 'information':
        return;
      case 'resources':
        for (const resources of message.services) this.#reported(resources, entry);
        return;
      case 'job': {
        const { sname, instance } = message.job;
        const deployment = this.#about(sname, instance, entry);
        deployment?.sawStatus(message.job);
        if (deployment?.ended && this.#table.removed(sname, instance)) this.#announce(sname, 'UNDEPLOYMENT');
        return;
      }
      case 'subnet':
        this.#send(topics.subnetResult, this.#options.subnet, 1);
        this.#subnetAnswered = true;
        return;
      case 'deployed': {
        const { appname, instance_number, nsip, nsipv6 } = message.service;
        this.#about(appname, instance_number, entry)?.sawAddress({ v4: nsip, v6: nsipv6 });
        this.#table.deployed(message.service);
        this.#announce(appname, 'DEPLOYMENT');
        return;
      }
      case 'query':
        this.#send(topics.tableResult, this.#table.answer(message.query), 1);
        return;
      case 'interest':
        this.#table.dropInterestIn(message.service);
    }
  }

  /** A job that the cluster does not know is deleted as soon as a report names it. */
  #reported(resources: ServiceResources, entry: ClusterMessage): void {
    const { job_name: service, instance, virtualization } = resources;
    const deployment = this.#about(service, instance, entry);
    if (deployment) deployment.sawResources(resources);
    else
      this.#send(engineTopics(this.#worker?.id ?? '').delete, deleteDocument({ service, instance, virtualization }), 0);
  }

  /** The deployment that `entry` is about, with the entry added to its history. */
  #about(service: string, instance: number, entry: ClusterMessage): Deployment | undefined {
    const deployment = this.#deployments.get(taskId(service, instance));
    deployment?.record(entry);
    return deployment;
  }

  #announce(service: string, type: 'DEPLOYMENT' | 'UNDEPLOYMENT'): void {
    for (const key of this.#table.interestsIn(service)) this.#send(updatesTopic(key), { type }, 1);
  }

  #send(topic: string, payload: unknown, qos: 0 | 1, task?: string): void {
    const entry: ClusterMessage = { ms: performance.now(), direction: 'out', topic, payload };
    this.#entry(entry);
    if (task !== undefined) this.#deployments.get(task)?.record(entry);
    this.#broker.publish(topic, JSON.stringify(payload), qos);
  }

  #entry(entry: ClusterMessage): void {
    this.#options.onMessage?.(entry);
  }

  #violate(topic: string, problem: string, client?: string): void {
    this.#violations.push({ ms: performance.now(), topic, problem, ...(client !== undefined && { client }) });
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
