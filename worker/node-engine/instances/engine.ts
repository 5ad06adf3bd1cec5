import { setTimeout as sleep } from 'node:timers/promises';
import type { DeleteRequest, DeployRequest, JobStatus } from '../../contract/job.ts';
import { taskId } from '../../contract/names.ts';
import { serialByKey } from '../../system/serial.ts';
import { type InstanceUsage, mostDetail } from '../cluster/messages.ts';
import { explain } from '../explain.ts';
import { adopt, type Exit, markVariable, type Running, stop } from '../process/launch.ts';
import { pruneLogs } from '../process/log-folder.ts';
import { outputMark } from '../process/output.ts';
import { processesMarked } from '../process/proc.ts';
import { recordedExit } from '../process/record.ts';
import { deployInstance, EngineStopping, undoNetwork } from './deploy.ts';
import { holderMark, stopHolder } from './holder.ts';
import { checkHere, type Instance, newInstance, Refused } from './instance.ts';
import { logFile, type Node } from './node.ts';
import { networkLost } from './reachability.ts';
import { describeExit } from './readiness.ts';
import { usageMeter } from './usage.ts';

/** Tells the cluster of a change; called once for each. */
type Report = (job: string, instance: number, status: JobStatus, detail: string) => void;

/** The longest that it is kept back how an instance ended, in ms. */
const tellMs = 5000;

/** How long an engine that stops takes deployments back, in ms. */
const undoMs = 1500;

/** The instances of this node: one change at a time for each of them, different ones side by side. */
export class Engine {
  readonly #node: Node;
  readonly #runtimes: readonly string[];
  readonly #report: Report;
  readonly #instances = new Map<string, Instance>();
  /** Which instance was given an address last, of those that this engine has deployed. */
  readonly #addresses = new Map<string, Instance>();
  readonly #serial = serialByKey();
  /** Aborts when what is owed is left to the next engine. */
  readonly #stopping = new AbortController();

  constructor(node: Node, runtimes: readonly string[], report: Report) {
    this.#node = node;
    this.#runtimes = runtimes;
    this.#report = report;
  }

  /** Deploys an instance and reports how that went; one that is already there is left alone. */
  deploy(job: DeployRequest): Promise<void> {
    const task = taskId(job.job_name, job.instance_number);
    return this.#serial(task, async () => {
      if (this.#instances.has(task)) {
        this.#node.log.info(`${task} is already deployed: left alone`);
        return;
      }
      const instance = newInstance(job);
      try {
        checkHere(job, this.#runtimes);
        this.#instances.set(task, instance);
        this.#tell(job, 'CREATING', '');
        const deployed = await deployInstance(job, this.#node, instance.undo, instance.abort.signal);
        this.#addresses.set(deployed.address, instance);
        this.#watch(task, instance, deployed.running);
        this.#tell(job, 'CREATED', deployed.notes.join('; '));
      } catch (error) {
        const told = instance.abort.signal.aborted ? undefined : () => this.#tell(job, 'FAILED', explain(error));
        await this.#finish(task, instance, told);
      }
    });
  }

  /** Removes an instance, also in the middle of its deployment, and answers UNDEPLOYED once. */
  undeploy(request: DeleteRequest): Promise<void> {
    const task = taskId(request.job_name, request.instance_number);
    this.#instances.get(task)?.abort.abort(new Refused('the instance was deleted while it was being deployed'));
    return this.#serial(task, async () => {
      const instance = this.#instances.get(task);
      if (instance === undefined || (await this.#remove(task, instance))) this.#tell(request, 'UNDEPLOYED', '');
    });
  }

  /** Reports a job that cannot even be tried. */
  refuse(request: DeleteRequest, reason: string): void {
    this.#tell(request, 'FAILED', reason);
  }

  /**
   * Takes over the instances that an earlier engine left running, until `signal` aborts; what it left behind of others
   * is removed as soon as NetManager lets it, and reported.
   */
  async adopt(signal: AbortSignal): Promise<void> {
    const { journal, log, network, groups } = this.#node;
    const [entries, processes, holders, writers] = await Promise.all([
      journal.read(log),
      processesMarked(markVariable),
      processesMarked(holderMark),
      processesMarked(outputMark),
    ]);
    for (const { job, ready } of entries) {
      const task = taskId(job.job_name, job.instance_number);
      const id = processes.get(journal.file(task));
      const instance = newInstance(job);
      this.#instances.set(task, instance);
      instance.undo.push('the journal', () => journal.remove(task));
      const holder = holders.get(journal.file(task));
      if (holder !== undefined) instance.undo.push('the namespace', () => stopHolder(holder));
      if (network !== undefined) undoNetwork(job, network, instance.undo);
      const running =
        id === undefined ? undefined : adopt(id, writers.get(journal.file(task)), journal.record(task), signal);
      if (groups !== undefined) instance.undo.push('the control group', groups.group(task).remove);
      if (running !== undefined) instance.undo.push('the process', () => stop(running));
      if (running === undefined || !ready) {
        void this.#serial(task, () => this.#abandon(task, instance, ready));
      } else {
        log.info(`${task} is taken over (process ${running.id.pid})`);
        this.#watch(task, instance, running);
      }
    }
  }

  /**
   * Breaks off the deployments that are under way and undoes them, so that the next engine tells that they FAILED;
   * running instances stay.
   */
  async close(): Promise<void> {
    const unfinished = [...this.#instances].filter(([, instance]) => instance.usage === undefined);
    const late = setTimeout(() => this.#stopping.abort(new EngineStopping('the engine is stopping')), undoMs);
    await Promise.all(
      unfinished.map(([task, instance]) => {
        instance.abort.abort(new EngineStopping('the engine is stopping'));
        return this.#serial(task, async () => undefined);
      }),
    );
    clearTimeout(late);
  }

  /** What the running instances use; one that has ended is never among them. `memoryTotal` is the node's, in bytes. */
  async usage(memoryTotal: number): Promise<readonly InstanceUsage[]> {
    const measured = [...this.#instances.values()].map(async (instance) => {
      const usage = await instance.usage?.(memoryTotal);
      return instance.usage === undefined || !instance.reachable ? undefined : usage;
    });
    return (await Promise.all(measured)).filter((usage) => usage !== undefined);
  }

  /** Removes the output of instances that have been gone for long. Never rejects. */
  async pruneLogs(): Promise<void> {
    const { log, logs } = this.#node;
    await pruneLogs(logs, (task) => this.#instances.has(task)).catch((error: unknown) =>
      log.warn(`old output was not removed: ${explain(error)}`),
    );
  }

  #watch(task: string, instance: Instance, running: Running): void {
    const meter = usageMeter(instance.job, running.id, logFile(this.#node, task));
    instance.usage = meter;
    const ended = (exit: Exit) => {
      instance.usage = undefined;
      return this.#serial(task, () => this.#ended(task, instance, exit));
    };
    running.exited.then(ended, () => undefined);
    this.#watchNetwork(task, instance, running).catch(() => undefined);
  }

  /** An instance whose network has gone runs on for nobody. */
  async #watchNetwork(task: string, instance: Instance, running: Running): Promise<void> {
    const end = new AbortController();
    running.exited.then(
      () => end.abort(),
      () => end.abort(),
    );
    const seen = (present: boolean) => {
      if (!present) this.#node.log.warn(`${task}: its network is missing`);
      instance.reachable = present;
    };
    const others = (address: string) => (this.#addresses.get(address) ?? instance) !== instance;
    const reason = await networkLost(running.id, others, seen, end.signal);
    await this.#serial(task, async () => {
      if (this.#instances.get(task) !== instance) return;
      await this.#finish(task, instance, () => this.#tell(instance.job, 'DEAD', `the network is gone: ${reason}`));
    });
  }

  async #ended(task: string, instance: Instance, exit: Exit, when = ''): Promise<void> {
    if (this.#instances.get(task) !== instance) return;
    const starved = (await this.#node.groups?.group(task).ranOutOfMemory()) ?? false;
    const completed = exit.code === 0 && instance.job.one_shot === true;
    const why = starved ? `; the kernel ended it at its limit of ${instance.job.memory} MB` : '';
    const detail = `wasmtime ${describeExit(exit)}${when}${why}`;
    await this.#finish(task, instance, () => this.#tell(instance.job, completed ? 'COMPLETED' : 'DEAD', detail));
  }

  async #abandon(task: string, instance: Instance, wasReady: boolean): Promise<void> {
    if (instance.abort.signal.aborted) return;
    if (wasReady) {
      const exit = await recordedExit(this.#node.journal.record(task));
      await this.#ended(task, instance, exit, ' while the engine was not running');
    } else {
      const reason = 'the engine was stopped during the deployment';
      await this.#finish(task, instance, () => this.#tell(instance.job, 'FAILED', reason));
    }
  }

  /** Takes an instance away; false when the engine stops before all of it is gone, which the next one finishes. */
  async #remove(task: string, instance: Instance): Promise<boolean> {
    instance.usage = undefined;
    try {
      await instance.undo.unwind(this.#node.log, this.#stopping.signal);
    } catch (error) {
      this.#node.log.warn(`${task} is not removed whole: ${explain(error)}`);
      return false;
    }
    this.#instances.delete(task);
    for (const [address, owner] of this.#addresses) if (owner === instance) this.#addresses.delete(address);
    return true;
  }

  /** Takes away what has ended, and says so in time: its network may be owed for long while NetManager is away. */
  async #finish(task: string, instance: Instance, tell: (() => void) | undefined): Promise<void> {
    const removed = this.#remove(task, instance);
    const told = new AbortController();
    await Promise.race([removed, sleep(tellMs, undefined, { signal: told.signal })]);
    told.abort();
    tell?.();
    await removed;
  }

  #tell(job: DeleteRequest, status: JobStatus, whole: string): void {
    const detail = whole.slice(0, mostDetail);
    const task = taskId(job.job_name, job.instance_number);
    this.#node.log.info(`${task} ${status}${detail === '' ? '' : `: ${detail}`}`);
    this.#report(job.job_name, job.instance_number, status, detail);
  }
}
