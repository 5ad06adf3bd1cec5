import fs from 'node:fs/promises';
import path from 'node:path';
import pLimit, { type LimitFunction } from 'p-limit';
import { formatPorts, type PortMapping } from '../../worker/contract/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Endpoint } from '../machine/machine.ts';
import { timeKind } from '../report/model/load-record.ts';
import { noObservations } from '../scenario/observations.ts';
import type { Board, Service } from '../scenario/scenario.ts';
import { createDeployer, type Services } from '../scenario/services/deploy.ts';
import { createLoader } from '../scenario/services/loads.ts';
import { putCompiled } from '../scenario/services/worker.ts';
import { getOverHttp, requestMs } from '../scenario/targets/get.ts';
import { LabError, labFault, usageFault } from '../system/errors.ts';
import { sha256 } from '../system/files/digest.ts';
import { nearest } from '../system/nearest.ts';
import { type Deadline, deadline } from '../system/wait.ts';
import type { App } from '../wasm/app.ts';
import { expectedByAsking, summarize } from './load.ts';
import { memoryOf } from './memory.ts';
import { type Mapped, mappingsFor, serviceNameOf, shortName } from './names.ts';
import type { Answers, LabRequest, LabStatus } from './protocol.ts';

type DeployRequest = Extract<LabRequest, { readonly do: 'deploy' }>;
type LoadRequest = Extract<LabRequest, { readonly do: 'load' }>;

/** A service of the lab: what it was made of, and its instances, which are there once they were deployed. */
type Placed = {
  readonly service: string;
  readonly app: Pick<App, 'name' | 'sha256'>;
  /** Its component's address in the cluster. */
  readonly image: string;
  readonly mappings: readonly PortMapping[];
  readonly deployer: Services;
  instances: readonly Service[];
};

/** What the services of a lab are made with. */
export type ServicesOptions = {
  readonly board: Board;
  readonly cluster: Cluster;
  /** The folder of the lab's run, into which components are handed. */
  readonly folder: string;
  /** Where this computer reaches a port of the board. */
  readonly addressOf: (boardPort: number, signal: AbortSignal) => Promise<Endpoint>;
  /** Aborted when the lab ends. */
  readonly signal: AbortSignal;
};

const noEvent = (): void => {};
const urlOf = ({ host, port }: Endpoint, at = '/'): string => `http://${host}:${port}${at}`;

/** What is deployed in a standing lab. Requests about one service are dealt with one after another. */
export class LabServices {
  readonly #options: ServicesOptions;
  /** No limit but the lab's own end: a worker says by itself that a deployment failed. */
  readonly #limit: Deadline;
  readonly #placed = new Map<string, Placed>();
  /** Ports of the board, also of services that are just being deployed. */
  readonly #mapped = new Map<string, Mapped>();
  readonly #queues = new Map<string, LimitFunction>();

  constructor(options: ServicesOptions) {
    this.#options = options;
    this.#limit = { signal: options.signal, extend: () => {} };
  }

  /** Deploys a component as a service; one that has that name already is replaced by it. */
  deploy(request: DeployRequest, progress: (text: string) => void): Promise<Answers['deploy']> {
    const name = serviceNameOf(request.service);
    return this.#inTurn(name, () => this.#deploy(name, request, progress));
  }

  undeploy(service: string): Promise<Answers['undeploy']> {
    const name = serviceNameOf(service);
    return this.#inTurn(name, async () => {
      const began = performance.now();
      const placed = this.#find(service);
      await this.#remove(name, placed);
      this.#withdraw(placed);
      return { service: placed.service, tookMs: performance.now() - began };
    });
  }

  /** All services with their instances, in the order of their deployment. */
  async status(signal: AbortSignal): Promise<LabStatus['services']> {
    const { board } = this.#options;
    const placed = [...this.#placed.values()];
    const tasks = placed.flatMap(({ instances }) => instances.map(({ task }) => task));
    const memory = tasks.length === 0 ? new Map<string, number>() : await memoryOf(board.machine, tasks, signal);
    return await Promise.all(
      placed.map(async ({ service, app, mappings, instances }) => ({
        ...{ service, component: app.name, sha256: app.sha256, ports: formatPorts(mappings) },
        ...(await this.#address(mappings, signal).then(
          (address) => (address === undefined ? {} : { address }),
          () => ({}),
        )),
        instances: instances.map(({ task, address, deployment }, instance) => {
          const { status = 'CREATED', status_detail: detail = '' } = deployment.state ?? {};
          const bytes = memory.get(task);
          return { instance, task, state: status, detail, address: address.v4, ...(bytes ? { memory: bytes } : {}) };
        }),
      })),
    );
  }

  /** Loads a service from the lab, and expects of all answers what the first one was. */
  async load(request: LoadRequest, asked: AbortSignal): Promise<Answers['load']> {
    const { service, path: at, connections, seconds, rate } = request;
    const { board } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, asked]);
    const { mappings, instances } = this.#find(service);
    const tcp = mappings.find(({ protocol }) => protocol === 'tcp');
    if (tcp === undefined) throw usageFault(`${service} has no TCP port that could be loaded`);
    const url = urlOf(await board.forward(tcp.host), at);
    const ask = () => getOverHttp(url, deadline(this.#requestMs, 'the first response', signal));
    const expected = await expectedByAsking(ask).catch((error: unknown) => {
      signal.throwIfAborted();
      const next = [`npm run lab -- logs ${service}`];
      throw new LabError(`${service} does not answer`, { fault: 'incomplete', next, cause: error });
    });
    const findings = noObservations();
    const load = createLoader([board], { connections, duration: seconds, rate }, findings, [], {
      signal,
      extend: () => {},
    });
    const [only] = instances.length === 1 ? instances : [];
    const result = await load(service, url, expected, { mayFail: true, ...(only ? { service: only } : {}) });
    return summarize(url, result, {
      notes: findings.notes,
      performance: timeKind(board.machine.fidelity) === 'performance',
      ...(result.cpu === undefined ? {} : { cpu: result.cpu }),
    });
  }

  get #requestMs(): number {
    return requestMs * this.#options.board.machine.timeoutFactor;
  }

  /** Does `work` when what was asked before of the same service has been done. */
  #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(name) ?? pLimit(1);
    this.#queues.set(name, queue);
    return queue(work);
  }

  #find(service: string): Placed {
    const found = this.#placed.get(serviceNameOf(service));
    if (found) return found;
    const known = [...this.#placed.values()].map((placed) => placed.service);
    throw usageFault(`no service '${service}'${nearest(service, known)}`);
  }

  /** A component out of the file that it was handed over in. */
  async #take({ name, file, sha256: wanted }: DeployRequest['component']): Promise<App> {
    const handed = path.join(this.#options.folder, file);
    const bytes = await fs.readFile(handed);
    await fs.rm(handed, { force: true });
    if (sha256(bytes) !== wanted) throw labFault(`${name} was changed on its way to the lab`);
    return { name, bytes, sha256: wanted };
  }

  async #deploy(
    name: string,
    { service, component, port, environment, memory, replicas }: DeployRequest,
    progress: (text: string) => void,
  ): Promise<Answers['deploy']> {
    const began = performance.now();
    const { board, cluster, signal } = this.#options;
    const app = await this.#take(component);
    const before = this.#placed.get(name);
    const others = [...this.#mapped].filter(([other]) => other !== name).map(([, mapped]) => mapped);
    const mappings = port === undefined && before ? before.mappings : mappingsFor(port, others);
    this.#checkWorker();
    this.#mapped.set(name, { service: shortName(service), mappings });
    progress('compile');
    const compiled = await putCompiled(board.machine, app, board.machine.wasmtimeVersion, signal);
    const placed: Placed = {
      ...{ service: shortName(service), app, mappings, instances: [] },
      image: cluster.publishArtifact(app.name, app.bytes),
      deployer: createDeployer([board], cluster, app, noObservations(), noEvent, this.#limit),
    };
    progress(before ? 'replace' : 'deploy');
    const spec = { port: formatPorts(mappings), environment, ...(memory === undefined ? {} : { memory }) };
    try {
      if (before) await this.#remove(name, before);
      this.#placed.set(name, placed);
      this.#mapped.set(name, placed);
      for (let instance = 0; instance < replicas; instance++)
        placed.instances = [...placed.instances, await placed.deployer.deploy({ ...spec, service: name, instance })];
    } catch (error) {
      await this.#remove(name, placed).catch(noEvent);
      throw this.#blame(error, service);
    } finally {
      if (before) this.#withdraw(before);
      this.#withdraw(placed);
    }
    const address = await this.#address(mappings, signal);
    return {
      ...{ service: placed.service, ports: formatPorts(mappings), replaced: before !== undefined },
      tookMs: performance.now() - began,
      notes: compiled === undefined ? [] : [compiled],
      ...(address === undefined ? {} : { address }),
    };
  }

  /** A deploy message to a worker that is away would be waited for in vain. */
  #checkWorker(): void {
    if (this.#options.cluster.isConnected()) return;
    throw new LabError('the worker is not connected to the cluster', {
      fault: 'product',
      next: ['npm run lab -- logs NodeEngine', 'npm run lab -- logs NetManager'],
    });
  }

  #blame(error: unknown, service: string): unknown {
    if (!(error instanceof LabError) || error.fault !== 'product') return error;
    return new LabError(`${service} could not be deployed`, {
      fault: 'product',
      next: [...error.next, 'npm run lab -- logs NodeEngine'],
      cause: error,
    });
  }

  async #remove(name: string, { instances, deployer }: Placed): Promise<void> {
    for (const one of instances.toReversed()) if (!one.deployment.ended) await deployer.undeploy(one);
    this.#placed.delete(name);
    this.#mapped.delete(name);
  }

  /** The cluster no longer serves a component that no service is made of. */
  #withdraw({ image }: Placed): void {
    const inUse = [...this.#placed.values()].some((placed) => placed.image === image);
    if (!inUse) this.#options.cluster.withdrawArtifact(image);
  }

  async #address(mappings: readonly PortMapping[], signal: AbortSignal): Promise<string | undefined> {
    const tcp = mappings.find(({ protocol }) => protocol === 'tcp');
    return tcp === undefined ? undefined : urlOf(await this.#options.addressOf(tcp.host, signal));
  }
}
