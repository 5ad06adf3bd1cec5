import os from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { taskId } from '../../../worker/contract/names.ts';
import { parsePorts } from '../../../worker/contract/ports.ts';
import { execOk, type Machine } from '../../machine/machine.ts';
import type { RunBoard } from '../../scenario/board/run-board.ts';
import type { Steps } from '../../scenario/run/steps.ts';
import type { NetworkSpec } from '../../scenario/scenario.ts';
import { launchWorker } from '../../scenario/services/worker.ts';
import { labFault, messageOf, usageFault } from '../../system/errors.ts';
import { deadline, until } from '../../system/wait.ts';
import { memoryOf } from '../memory.ts';
import type { ServiceStatus } from '../protocol.ts';
import type { Standing } from '../standing.ts';
import { type ClusterTalk, readEngineLog } from './engine-log.ts';
import { type Exposure, openExposure } from './exposure.ts';
import { type NetworkStatus, networkStatus, tasksIn, tasksOn } from './network-status.ts';
import type { ClusterTarget } from './target.ts';

const lookMs = 1000;
/** NetManager's status takes a process of the board's: it is asked for again only after so long, unless a task is new. */
const againMs = 3000;
const launchMs = 60_000;
/** How long a worker may be refused, or have no answer: it tries both dialects within some seconds. */
const patienceMs = 20_000;
/** How long a subnet may take, in ms: NetManager is told of the cluster every 20 s. */
const subnetMs = 120_000;
/** So much of the log's end is read each time. */
const logBytes = 32_768;
const engineLog = '/var/log/oakestra/NodeEngine.log';

/** The port by which the overlay of other workers reaches this one (contract, section 7). */
const overlayPort = { port: 50_103, protocol: 'udp' } as const;
/** What is in the configuration that is shipped (contract, section 3): where the broker is the cluster says. */
const usualBrokerPort = 10_003;

/** A name of its own in the cluster, where a worker is its host's name (contract, section 1). */
const hostName = (lab: string): string =>
  `${os.hostname().split('.')[0]?.slice(0, 30)}-lab-${lab}`.replace(/[^a-zA-Z0-9-]+/g, '-').replace(/^-+/, '');

/** What is known of a worker that serves somebody else's cluster. */
class JoinedWorker {
  talk: ClusterTalk = {};
  network: NetworkStatus | undefined;
  /** Why NetManager's status could not be had last. */
  trouble: string | undefined;
  readonly #machine: Machine;
  readonly #exposure: Exposure;
  /** The tasks on the board at the last look, and when NetManager was asked last. */
  #tasks: string | undefined;
  #asked = Number.NEGATIVE_INFINITY;

  constructor(machine: Machine, exposure: Exposure) {
    this.#machine = machine;
    this.#exposure = exposure;
  }

  /** Looks at the board, and leads its mapped ports from this computer to it. */
  async look(signal: AbortSignal): Promise<void> {
    const { stdout } = await this.#machine.exec(['tail', '-c', String(logBytes), engineLog], { signal });
    this.talk = readEngineLog(stdout, this.talk);
    if (this.talk.broker === undefined && this.network === undefined) return;
    const tasks = (await tasksOn(this.#machine, signal)).join();
    const isKnown = this.network?.subnet !== undefined && tasks === tasksIn(this.network).join();
    const isDue = tasks !== this.#tasks || performance.now() - this.#asked > againMs;
    this.#tasks = tasks;
    if (!isKnown && isDue) {
      this.network = await networkStatus(this.#machine, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        this.trouble = messageOf(error);
        return this.network;
      });
      this.#asked = performance.now();
    } else if (!this.#exposure.hasProblems) return;
    const mapped = (this.network?.instances ?? []).flatMap(({ ports }) => parsePorts(ports));
    await this.#exposure.become(
      mapped.map(({ host, protocol }) => ({ port: host, protocol })),
      [overlayPort],
    );
  }

  /** Looks again and again until `signal` is aborted. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(lookMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      // the next look may succeed; a board that is lost ends the lab by itself
      await this.look(signal).catch((error: unknown) => process.stderr.write(`${messageOf(error)}\n`));
    }
  }

  /** The services that the cluster has deployed here. */
  async services(signal: AbortSignal): Promise<readonly ServiceStatus[]> {
    const { instances = [] } = this.network ?? {};
    const tasks = instances.map(({ service, instance }) => taskId(service, instance));
    const memory = tasks.length === 0 ? new Map<string, number>() : await memoryOf(this.#machine, tasks, signal);
    return [...Map.groupBy(instances, ({ service }) => service)].map(([service, of]) => {
      const ports = [...new Set(of.flatMap((one) => (one.ports === '' ? [] : [one.ports])))].join(';');
      const tcp = parsePorts(ports).find(({ protocol }) => protocol === 'tcp');
      return {
        ...{ service, ports },
        ...(tcp === undefined ? {} : { address: `http://${this.#exposure.here}:${tcp.host}/` }),
        instances: of.map(({ instance, v4 = '' }) => {
          const task = taskId(service, instance);
          const bytes = memory.get(task) ?? 0;
          const state = bytes > 0 ? 'RUNNING' : 'NO PROCESS';
          return { instance, task, state, detail: '', address: v4, ...(bytes > 0 ? { memory: bytes } : {}) };
        }),
      };
    });
  }
}

/** Why a cluster did not take a worker, as far as the worker knows. */
const notTaken = ({ where }: ClusterTarget, { talk, trouble: status }: JoinedWorker): Error => {
  const { registration, trouble, network = status } = talk;
  if (trouble === undefined && registration !== undefined)
    return labFault(
      `the cluster at ${where} registered the worker as ${registration.id}, but gave it no subnet${network === undefined ? '' : `: ${network}`}`,
      ["look at the cluster's service manager, which gives subnets, and at its broker"],
    );
  const reason = trouble ?? 'the worker says nothing of it';
  const isAnotherProgram = /refused the worker with 40[45]\b/.test(reason);
  return labFault(
    `the cluster at ${where} did not take the worker: ${reason}`,
    isAnotherProgram ? ['it has no /api/node/register: no cluster manager of Oakestra, or one that is too old'] : [],
  );
};

/** Waits until the cluster has registered the worker and given it a subnet. Throws a lab fault with the reason when not. */
const joined = async (worker: JoinedWorker, target: ClusterTarget, signal: AbortSignal): Promise<void> => {
  let troubledSince: number | undefined;
  let connectedSince: number | undefined;
  await until(async () => {
    await worker.look(signal);
    const { broker, trouble } = worker.talk;
    if (broker !== undefined && worker.network?.subnet !== undefined) return true;
    const now = performance.now();
    troubledSince = trouble === undefined ? undefined : (troubledSince ?? now);
    connectedSince = broker === undefined ? undefined : (connectedSince ?? now);
    const isTooLong = now - (troubledSince ?? now) > patienceMs || now - (connectedSince ?? now) > subnetMs;
    if (isTooLong) throw notTaken(target, worker);
    return undefined;
  }, signal);
};

/** What a lab needs to have its board join a cluster. */
export type Joining = {
  readonly lab: string;
  readonly board: RunBoard;
  readonly network: NetworkSpec;
  readonly target: ClusterTarget;
  readonly steps: Steps;
  readonly signal: AbortSignal;
};

/**
 * Starts the worker of a board for a cluster that exists already, and leads the ports by which others reach it from this
 * computer to the board. What is started is ended with `stack`. Throws a lab fault with the cluster's reason when that does
 * not take the worker.
 */
export const joinCluster = async (
  { lab, board, network, target, steps, signal }: Joining,
  stack: AsyncDisposableStack,
): Promise<Standing> => {
  const { machine } = board;
  const { where, address, port, publicAddress } = target;
  const host = hostName(lab);
  const exposure = stack.use(await openExposure(machine, publicAddress));
  await exposure.open(overlayPort);
  const worker = new JoinedWorker(machine, exposure);
  await steps.run('join the cluster', { place: 'board' }, signal, async () => {
    const launching = deadline(launchMs * machine.timeoutFactor, 'the worker', signal);
    await execOk(machine, ['hostname', host], { signal: launching });
    const place = {
      // this computer, as its guest reaches it
      address: address === '127.0.0.1' ? machine.uplink.lab : address,
      ...{ registrationPort: port, brokerPort: usualBrokerPort },
    };
    await launchWorker({ machine, address: publicAddress }, place, network, launching);
    await joined(worker, target, launching);
  });
  const over = new AbortController();
  const following = worker.follow(AbortSignal.any([signal, over.signal]));
  stack.defer(async () => {
    over.abort();
    await following;
  });
  const refuse = () => {
    throw usageFault(`the lab '${lab}' has joined the cluster at ${where}: deploy through that one`);
  };
  return {
    status: async (asked) => {
      const { registration, broker, trouble } = worker.talk;
      return {
        worker: broker === undefined ? 'away' : 'connected',
        cluster: {
          ...{ where, host, publicAddress, ports: [...exposure.ports] },
          ...(registration && { id: registration.id, dialect: registration.dialect }),
          ...(worker.network?.subnet && { subnet: worker.network.subnet.address }),
          ...(broker === undefined ? {} : { broker }),
          ...(trouble === undefined ? {} : { trouble }),
        },
        services: [...(await worker.services(asked))],
      };
    },
    deploy: async () => refuse(),
    undeploy: async () => refuse(),
    load: async ({ service }) => {
      const found = (await worker.services(signal)).find((one) => one.service === service);
      if (found?.address === undefined) return refuse();
      throw usageFault(`load it by its address: ${found.address}`, [`npm run lab -- load ${found.address}`]);
    },
  };
};
