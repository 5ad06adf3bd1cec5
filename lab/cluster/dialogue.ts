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
import { ServiceTable } from './service-table.ts';
import type { Watch } from './watch.ts';
import { objectId, type RegisteredWorker } from './worker.ts';

/** What a cluster's side of the dialogue needs from around it. */
export type DialogueNeeds = {
  readonly dialect: Dialect;
  readonly subnet: SubnetResult;
  /** Told of every change. */
  readonly watch: Watch;
  readonly brokerPort: () => number;
  readonly publish: (topic: string, text: string, qos: 0 | 1) => void;
  readonly onMessage: ((entry: ClusterMessage) => void) | undefined;
  /** The id of the worker on a host; the same for the same host when left out. */
  readonly identify?: (host: string) => string;
};

/**
 * What is said between the cluster and its one worker: answers to registration, subnet and table queries, the state of
 * every deployment, and the list of what the worker said against the contract.
 */
export class Dialogue {
  readonly violations: Violation[] = [];
  readonly #needs: DialogueNeeds;
  readonly #table = new ServiceTable();
  readonly #deployments = new Map<string, Deployment>();
  #worker: RegisteredWorker | undefined;
  #subnetAnswered = false;

  constructor(needs: DialogueNeeds) {
    this.#needs = needs;
  }

  get worker(): RegisteredWorker | undefined {
    return this.#worker;
  }

  /** True once the net manager asked for its subnet. */
  get subnetAnswered(): boolean {
    return this.#subnetAnswered;
  }

  /** Answers a registration. A worker's identity is its host; this cluster has one worker. */
  register(text: string): Answer {
    const payload = decode(text);
    const topic = `POST ${registrationPath}`;
    this.#hear({ ms: performance.now(), direction: 'in', topic, payload });
    const { problems, refused } = inspectRegistration(payload, this.#needs.dialect);
    for (const problem of problems) this.violate(topic, problem);
    if (refused || typeof payload !== 'object' || payload === null)
      return { status: 500, body: { message: problems.join('; ') } };
    const fields = payload as Record<string, unknown>;
    const host = String(fields['host'] ?? '');
    if (this.#worker && this.#worker.host !== host) {
      const message = `this cluster has its worker already: '${this.#worker.host}', not '${host}'`;
      this.violate(topic, message);
      return { status: 500, body: { message } };
    }
    const id = (this.#needs.identify ?? objectId)(host);
    this.#worker = { id, host, architecture: String(fields['architecture'] ?? ''), fields };
    this.#needs.watch.changed();
    return { status: 200, body: { id, MQTT_BROKER_PORT: String(this.#needs.brokerPort()) } };
  }

  /** Sends `control/deploy`. Throws when no worker has registered. */
  deploy(spec: DeploymentSpec): Deployment {
    const worker = this.#worker;
    if (!worker) throw new Error(`cannot deploy ${spec.service}: no worker has registered; await registered() first`);
    const task = taskId(spec.service, spec.instance);
    const topics = engineTopics(worker.id);
    const tell = (topic: string, payload: unknown) => deployment.record(this.#send(topic, payload, 0));
    const deployment = new Deployment(task, this.#needs.watch, () => tell(topics.delete, deleteDocument(spec)));
    this.#deployments.set(task, deployment);
    this.#table.schedule(spec.service, spec.instance);
    tell(topics.deploy, jobDocument(spec, worker));
    return deployment;
  }

  /** Takes what a client published: checks it, then does what a cluster does about it. */
  received(publication: Publication): void {
    const { client, topic } = publication;
    const payload = decode(publication.text);
    const entry: ClusterMessage = { ms: performance.now(), direction: 'in', topic, client, payload };
    this.#hear(entry);
    const { message, problems } = inspect(publication, payload, {
      id: this.#worker?.id ?? '',
      dialect: this.#needs.dialect,
      task: (id) => {
        const deployment = this.#deployments.get(id);
        return deployment ? (deployment.ended ? 'ended' : 'live') : 'unknown';
      },
    });
    for (const problem of problems) this.violate(topic, problem, client);
    if (message) this.#accept(message, entry);
    this.#needs.watch.changed();
  }

  violate(topic: string, problem: string, client?: string): void {
    this.violations.push({ ms: performance.now(), topic, problem, ...(client !== undefined && { client }) });
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
        this.#send(topics.subnetResult, this.#needs.subnet, 1);
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

  #send(topic: string, payload: unknown, qos: 0 | 1): ClusterMessage {
    const entry: ClusterMessage = { ms: performance.now(), direction: 'out', topic, payload };
    this.#hear(entry);
    this.#needs.publish(topic, JSON.stringify(payload), qos);
    return entry;
  }

  #hear(entry: ClusterMessage): void {
    this.#needs.onMessage?.(entry);
  }
}
