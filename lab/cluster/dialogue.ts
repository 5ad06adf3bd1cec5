import { taskId } from '../../worker/contract/names.ts';
import type { SubnetResult } from '../../worker/contract/net-mqtt.ts';
import { type Dialect, registrationPath } from '../../worker/contract/registration.ts';
import { engineTopics, netTopics, updatesTopic } from '../../worker/contract/topics.ts';
import type { Publication } from './broker.ts';
import { Deployment, type DeploymentSpec } from './deployment.ts';
import type { Answer } from './http.ts';
import { type Inbound, inspect, inspectRegistration } from './inspect.ts';
import { deleteDocument, jobDocument } from './job.ts';
import { type ClusterMessage, decode, type ServiceResources, type Violation } from './messages.ts';
import { type ServiceAddresses, ServiceTable } from './service-table.ts';
import { nthSubnet } from './subnets.ts';
import { TableAnswers, type TableFault } from './table-answers.ts';
import type { Watch } from './watch.ts';
import { objectId, type RegisteredWorker } from './worker.ts';

/** What a cluster's side of the dialogue needs from around it. */
export type DialogueOptions = {
  readonly dialect: Dialect;
  /** The pools of the first worker; the next ones follow. */
  readonly subnet: SubnetResult;
  /** The hosts of its workers, in the order of their pools; one worker on any host when left out. */
  readonly hosts?: readonly string[] | undefined;
  /** Told of every change. */
  readonly watch: Watch;
  readonly brokerPort: () => number;
  readonly publish: (topic: string, text: string, qos: 0 | 1) => void;
  readonly onMessage: ((entry: ClusterMessage) => void) | undefined;
  /** The id of the worker on a host; the same for the same host when left out. */
  readonly identify?: (host: string) => string;
};

/** A worker, the pools that it is given, and whether its net manager has asked for them. */
type Member = { worker: RegisteredWorker; readonly subnet: SubnetResult; subnetAnswered: boolean };

/** A deployment and the host that it was sent to. */
type Sent = { readonly deployment: Deployment; readonly host: string };

/**
 * What is said between the cluster and its workers: answers to registration, subnet and table queries, the state of
 * every deployment, and the list of what the workers said against the contract.
 */
export class Dialogue {
  readonly violations: Violation[] = [];
  readonly #options: DialogueOptions;
  readonly #table = new ServiceTable();
  readonly #answers = new TableAnswers((topic, payload) => this.#send(topic, payload, 1));
  readonly #sent = new Map<string, Sent>();
  /** By host, in the order of their registration. */
  readonly #members = new Map<string, Member>();

  constructor(options: DialogueOptions) {
    this.#options = options;
  }

  /** The first worker that registered. */
  get worker(): RegisteredWorker | undefined {
    return this.#member()?.worker;
  }

  /** All workers, in the order of their registration. */
  get workers(): readonly RegisteredWorker[] {
    return [...this.#members.values()].map(({ worker }) => worker);
  }

  /** The worker on a host; the first one that registered when none is named. */
  workerOn(host?: string): RegisteredWorker | undefined {
    return this.#member(host)?.worker;
  }

  /** True once the net manager on a host asked for its subnet; of the first worker when none is named. */
  hasSubnet(host?: string): boolean {
    return this.#member(host)?.subnetAnswered ?? false;
  }

  /** How answers to table queries go wrong from now on. */
  set tableFault(fault: TableFault) {
    this.#answers.fault = fault;
  }

  /** Answers a registration. A worker's identity is its host; a cluster that has all its workers takes no other. */
  register(text: string): Answer {
    const payload = decode(text);
    const topic = `POST ${registrationPath}`;
    this.#hear({ ms: performance.now(), direction: 'in', topic, payload });
    const { problems, refused } = inspectRegistration(payload, this.#options.dialect);
    for (const problem of problems) this.violate(topic, problem);
    if (refused || typeof payload !== 'object' || payload === null)
      return { status: 500, body: { message: problems.join('; ') } };
    const fields = payload as Record<string, unknown>;
    const host = String(fields['host'] ?? '');
    const known = this.#members.get(host);
    const { hosts = [this.worker?.host ?? host], subnet } = this.#options;
    const place = hosts.indexOf(host);
    if (place < 0) {
      const named = hosts.map((one) => `'${one}'`).join(', ');
      const message = `this cluster has its worker${hosts.length === 1 ? '' : 's'} already: ${named}, not '${host}'`;
      this.violate(topic, message);
      return { status: 500, body: { message } };
    }
    const id = (this.#options.identify ?? objectId)(host);
    const worker = { id, host, architecture: String(fields['architecture'] ?? ''), fields };
    if (known) known.worker = worker;
    else this.#members.set(host, { worker, subnet: nthSubnet(subnet, place), subnetAnswered: false });
    this.#options.watch.changed();
    return { status: 200, body: { id, MQTT_BROKER_PORT: String(this.#options.brokerPort()) } };
  }

  /** Sends `control/deploy` to the worker on `host`, the first one when left out. Throws when it has not registered. */
  deploy(spec: DeploymentSpec, host?: string): Deployment {
    const worker = this.workerOn(host);
    if (!worker) {
      const missing = host === undefined ? 'no worker has registered' : `no worker on ${host} has registered`;
      throw new Error(`cannot deploy ${spec.service}: ${missing}; await registered() first`);
    }
    const task = taskId(spec.service, spec.instance);
    const topics = engineTopics(worker.id);
    const tell = (topic: string, payload: unknown) => deployment.record(this.#send(topic, payload, 0));
    const deployment = new Deployment(task, this.#options.watch, () => tell(topics.delete, deleteDocument(spec)));
    this.#sent.set(task, { deployment, host: worker.host });
    this.#table.schedule(spec.service, spec.instance);
    tell(topics.deploy, jobDocument(spec, worker));
    return deployment;
  }

  /** The addresses of a service and of one of its instances, once it was deployed. */
  addressesOf(service: string, instance: number): ServiceAddresses | undefined {
    return this.#table.addressesOf(service, instance);
  }

  /** What a cluster does about a worker that it no longer hears: its instances are nowhere, and who wants to know is told. */
  workerLost(host: string): void {
    const worker = this.workerOn(host);
    if (worker) this.#table.dropInterestsOf(worker.id);
    for (const service of this.#table.removedOn(host)) this.#announce(service, 'UNDEPLOYMENT');
  }

  /** Forgets who wants to hear of what, as a cluster that starts anew. */
  forgetInterests(): void {
    for (const { id } of this.workers) this.#table.dropInterestsOf(id);
  }

  /** Takes what a client published: checks it, then does what a cluster does about it. */
  received(publication: Publication): void {
    const { client, topic } = publication;
    const payload = decode(publication.text);
    const entry: ClusterMessage = { ms: performance.now(), direction: 'in', topic, client, payload };
    this.#hear(entry);
    const member = this.#speaker(topic);
    const { message, problems } = inspect(publication, payload, {
      id: member?.worker.id ?? '',
      dialect: this.#options.dialect,
      task: (id) => {
        const sent = this.#sent.get(id);
        if (!sent || sent.host !== member?.worker.host) return 'unknown';
        return sent.deployment.ended ? 'ended' : 'live';
      },
    });
    for (const problem of problems) this.violate(topic, problem, client);
    if (message && member) this.#accept(message, entry, member);
    this.#options.watch.changed();
  }

  violate(topic: string, problem: string, client?: string): void {
    this.violations.push({ ms: performance.now(), topic, problem, ...(client !== undefined && { client }) });
  }

  #member(host?: string): Member | undefined {
    return host === undefined ? this.#members.values().next().value : this.#members.get(host);
  }

  /** Whose topic it is; a topic of nobody is judged as the first worker's. */
  #speaker(topic: string): Member | undefined {
    const [, id] = topic.split('/');
    return [...this.#members.values()].find(({ worker }) => worker.id === id) ?? this.#member();
  }

  #accept(message: Inbound, entry: ClusterMessage, member: Member): void {
    const { id, host } = member.worker;
    const topics = netTopics(id);
    switch (message.kind) {
      case 'information':
        return;
      case 'resources':
        for (const resources of message.services) this.#reported(resources, entry, member);
        return;
      case 'job': {
        const { sname, instance } = message.job;
        const deployment = this.#about(sname, instance, entry, host);
        deployment?.sawStatus(message.job);
        if (deployment?.ended && this.#table.removed(sname, instance)) this.#announce(sname, 'UNDEPLOYMENT');
        return;
      }
      case 'subnet':
        this.#send(topics.subnetResult, member.subnet, 1);
        member.subnetAnswered = true;
        return;
      case 'deployed': {
        const { appname, instance_number, nsip, nsipv6 } = message.service;
        this.#about(appname, instance_number, entry, host)?.sawAddress({ v4: nsip, v6: nsipv6 });
        this.#table.deployed(message.service, host);
        this.#announce(appname, 'DEPLOYMENT');
        return;
      }
      case 'query':
        this.#answers.send(topics.tableResult, this.#table.answer(message.query, id));
        return;
      case 'interest':
        this.#table.dropInterestIn(message.service, id);
    }
  }

  /** A job that the cluster does not know of this worker is deleted as soon as a report names it. */
  #reported(resources: ServiceResources, entry: ClusterMessage, { worker }: Member): void {
    const { job_name: service, instance, virtualization } = resources;
    const deployment = this.#about(service, instance, entry, worker.host);
    if (deployment) deployment.sawResources(resources);
    else this.#send(engineTopics(worker.id).delete, deleteDocument({ service, instance, virtualization }), 0);
  }

  /** The deployment on a host that `entry` is about, with the entry added to its history. */
  #about(service: string, instance: number, entry: ClusterMessage, host: string): Deployment | undefined {
    const sent = this.#sent.get(taskId(service, instance));
    if (sent?.host !== host) return undefined;
    sent.deployment.record(entry);
    return sent.deployment;
  }

  #announce(service: string, type: 'DEPLOYMENT' | 'UNDEPLOYMENT'): void {
    for (const key of this.#table.interestsIn(service)) this.#send(updatesTopic(key), { type }, 1);
  }

  #send(topic: string, payload: unknown, qos: 0 | 1): ClusterMessage {
    const entry: ClusterMessage = { ms: performance.now(), direction: 'out', topic, payload };
    this.#hear(entry);
    this.#options.publish(topic, JSON.stringify(payload), qos);
    return entry;
  }

  #hear(entry: ClusterMessage): void {
    this.#options.onMessage?.(entry);
  }
}
