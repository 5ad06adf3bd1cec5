import type { JobStatus, JobStatusMessage } from '../../worker/contract/job.ts';
import type { ClusterMessage, ServiceResources } from './messages.ts';
import { ClusterWaitError, type Watch } from './watch.ts';

/** What to deploy; `memory` in MB, `port` as in `80:8080/tcp;53`. */
export type DeploymentSpec = {
  readonly service: string;
  readonly instance: number;
  readonly image: string;
  readonly port?: string;
  readonly memory?: number;
  readonly cmd?: readonly string[];
  readonly environment?: readonly string[];
  readonly oneShot?: boolean;
  /** Default `wasm`. */
  readonly virtualization?: string;
};

/** Messages about one instance that are remembered: a worker reports each every few seconds, for as long as it runs. */
const mostRemembered = 10_000;

/** The addresses of an instance's namespace. */
export type InstanceAddress = { readonly v4: string; readonly v6: string };

const ends: ReadonlySet<JobStatus> = new Set<JobStatus>(['FAILED', 'DEAD', 'COMPLETED', 'UNDEPLOYED']);
const bad: ReadonlySet<JobStatus> = new Set<JobStatus>(['FAILED', 'DEAD']);

/** One instance that was sent to the worker, from its deploy message on. */
export class Deployment {
  /** `<service>.instance.<N>`. */
  readonly task: string;
  readonly #watch: Watch;
  readonly #sendDelete: () => void;
  readonly #history: ClusterMessage[] = [];
  readonly #statuses: JobStatusMessage[] = [];
  #address: InstanceAddress | undefined;
  #resources: ServiceResources | undefined;

  constructor(task: string, watch: Watch, sendDelete: () => void) {
    this.task = task;
    this.#watch = watch;
    this.#sendDelete = sendDelete;
  }

  /** The messages about this instance, oldest first; of very many only the latest. */
  get history(): readonly ClusterMessage[] {
    return this.#history;
  }

  /** What the worker told last of it; once reports name it, that it runs. */
  get state(): Pick<JobStatusMessage, 'status' | 'status_detail'> | undefined {
    const last = this.#statuses.at(-1);
    if (last?.status !== 'CREATED' || this.#resources === undefined) return last;
    return { status: 'RUNNING', status_detail: '' };
  }

  /** Every status that the worker told of it, oldest first. */
  get statuses(): readonly JobStatus[] {
    return this.#statuses.map(({ status }) => status);
  }

  /** True from the status message that says so on. */
  get ended(): boolean {
    const last = this.statuses.at(-1);
    return last !== undefined && ends.has(last);
  }

  record(message: ClusterMessage): void {
    this.#history.push(message);
    if (this.#history.length > mostRemembered) this.#history.splice(0, mostRemembered / 2);
  }

  sawStatus(message: JobStatusMessage): void {
    this.#statuses.push(message);
  }

  sawAddress(address: InstanceAddress): void {
    this.#address = address;
  }

  sawResources(resources: ServiceResources): void {
    this.#resources ??= resources;
  }

  /**
   * The message with status `word`, once it is or was seen. Throws {@link ClusterWaitError} with the worker's detail
   * as soon as FAILED or DEAD comes instead, and when `signal` aborts.
   */
  status(word: JobStatus, signal: AbortSignal): Promise<JobStatusMessage> {
    return this.#status(word, 0, signal);
  }

  /** The namespace's addresses as `net/service/deployed` gave them. Fails early as {@link status} does. */
  address(signal: AbortSignal): Promise<InstanceAddress> {
    const awaited = `the address of ${this.task}`;
    return this.#watch.until(awaited, () => this.#address ?? this.#failEarly(awaited, this.#statuses), signal);
  }

  /** The first resource report that names the instance, which makes it RUNNING. Fails early as {@link status} does. */
  resources(signal: AbortSignal): Promise<ServiceResources> {
    const awaited = `a resource report naming ${this.task}`;
    return this.#watch.until(awaited, () => this.#resources ?? this.#failEarly(awaited, this.#statuses), signal);
  }

  /** Sends `control/delete` and waits until the worker says UNDEPLOYED to it. */
  async undeploy(signal: AbortSignal): Promise<void> {
    const from = this.#statuses.length;
    this.#sendDelete();
    await this.#status('UNDEPLOYED', from, signal);
  }

  #status(word: JobStatus, from: number, signal: AbortSignal): Promise<JobStatusMessage> {
    const awaited = `status ${word} of ${this.task}`;
    const look = () => {
      const seen = this.#statuses.slice(from);
      return seen.find(({ status }) => status === word) ?? this.#failEarly(awaited, seen);
    };
    return this.#watch.until(awaited, look, signal);
  }

  #failEarly(awaited: string, seen: readonly JobStatusMessage[]): undefined {
    const failure = seen.find(({ status }) => bad.has(status));
    if (failure)
      throw new ClusterWaitError(awaited, `came ${failure.status}: ${failure.status_detail || 'without a detail'}`);
  }
}
