import type { DeleteRequest, DeployRequest, JobStatus } from '../../contract/job.ts';
import { isServiceName, taskId } from '../../contract/names.ts';
import { serialByKey } from '../../system/serial.ts';
import { type InstanceUsage, mostDetail } from '../cluster/messages.ts';
import { explain } from '../explain.ts';
import { adopt, type Exit, markVariable, type Running, stop } from '../process/launch.ts';
import { processesMarked } from '../process/proc.ts';
import { recordedExit } from '../process/record.ts';
import { rotate } from '../process/rotate.ts';
import { checkJob } from '../runtime/command.ts';
import { deployInstance, EngineStopping, undoNetwork } from './deploy.ts';
import { logFile, type Node } from './node.ts';
import { describeExit } from './readiness.ts';
import { UndoStack } from './undo.ts';
import { usageMeter } from './usage.ts';

/** Tells the cluster of a change; called once for each. */
type Report = (job: string, instance: number, status: JobStatus, detail: string) => void;

type Instance = {
  readonly job: DeployRequest;
  readonly undo: UndoStack;
  readonly abort: AbortController;
  /** Set while the instance runs: never before it was ready, never after it has ended. */
  usage: ((memoryTotal: number) => Promise<InstanceUsage>) | undefined;
};

/** A job that this node cannot run. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** The instances of this node: one change at a time for each of them, different ones side by side. */
export class Engine {
  readonly #node: Node;
  readonly #runtimes: readonly string[];
  readonly #report: Report;
  readonly #instances = new Map<string, Instance>();
  readonly #serial = serialByKey();

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
      const instance: Instance = { job, undo: new UndoStack(), abort: new AbortController(), usage: undefined };
      try {
        this.#check(job);
        this.#instances.set(task, instance);
        this.#tell(job, 'CREATING', '');
        const deployed = await deployInstance(job, this.#node, instance.undo, instance.abort.signal);
        this.#watch(task, instance, deployed.running);
        this.#tell(job, 'CREATED', deployed.notes.join('; '));
      } catch (error) {
        await instance.undo.unwind(this.#node.log);
        this.#instances.delete(task);
        if (!instance.abort.signal.aborted) this.#tell(job, 'FAILED', explain(error));
      }
    });
  }

  /** Removes an instance, also in the middle of its deployment, and answers UNDEPLOYED once. */
  undeploy(request: DeleteRequest): Promise<void> {
    const task = taskId(request.job_name, request.instance_number);
    this.#instances.get(task)?.abort.abort(new Refused('the instance was deleted while it was being deployed'));
    return this.#serial(task, async () => {
      const instance = this.#instances.get(task);
      if (instance !== undefined) await this.#remove(task, instance);
      this.#tell(request, 'UNDEPLOYED', '');
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
    const [entries, processes] = await Promise.all([journal.read(log), processesMarked(markVariable)]);
    for (const { job, ready } of entries) {
      const task = taskId(job.job_name, job.instance_number);
      const id = processes.get(journal.file(task));
      const instance: Instance = { job, undo: new UndoStack(), abort: new AbortController(), usage: undefined };
      this.#instances.set(task, instance);
      instance.undo.push('the journal', () => journal.remove(task));
      if (network !== undefined) undoNetwork(job, network, instance.undo);
      const running = id === undefined ? undefined : adopt(id, journal.record(task), signal);
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
    await Promise.all(
      unfinished.map(([task, instance]) => {
        instance.abort.abort(new EngineStopping('the engine is stopping'));
        return this.#serial(task, async () => undefined);
      }),
    );
  }

  /** What the running instances use; one that has ended is never among them. `memoryTotal` is the node's, in bytes. */
  async usage(memoryTotal: number): Promise<readonly InstanceUsage[]> {
    const measured = [...this.#instances.values()].map(async (instance) => {
      const usage = await instance.usage?.(memoryTotal);
      return instance.usage === undefined ? undefined : usage;
    });
    return (await Promise.all(measured)).filter((usage) => usage !== undefined);
  }

  /** Sets the output of running instances aside where it has grown large. Never rejects. */
  async rotateLogs(): Promise<void> {
    const { log } = this.#node;
    for (const [task, { usage }] of this.#instances) {
      if (usage === undefined) continue;
      try {
        if (await rotate(logFile(this.#node, task))) log.info(`${task}: log rotated`);
      } catch (error) {
        log.warn(`${task}: the log was not set aside: ${explain(error)}`);
      }
    }
  }

  #check(job: DeployRequest): void {
    if (!isServiceName(job.job_name))
      throw new Refused('a job name has four parts of 1 to 30 letters and digits, joined by dots');
    if (!this.#runtimes.includes(job.virtualization))
      throw new Refused(`unknown runtime '${job.virtualization}': this node has ${this.#runtimes.join(', ')}`);
    checkJob(job);
  }

  #watch(task: string, instance: Instance, running: Running): void {
    const meter = usageMeter(instance.job, running.id, logFile(this.#node, task));
    instance.usage = meter;
    const ended = (exit: Exit) => {
      instance.usage = undefined;
      return this.#serial(task, () => this.#ended(task, instance, exit));
    };
    running.exited.then(ended, () => undefined);
  }

  async #ended(task: string, instance: Instance, exit: Exit, when = ''): Promise<void> {
    if (this.#instances.get(task) !== instance) return;
    const starved = (await this.#node.groups?.group(task).ranOutOfMemory()) ?? false;
    await this.#remove(task, instance);
    const completed = exit.code === 0 && instance.job.one_shot === true;
    const why = starved ? `; the kernel ended it at its limit of ${instance.job.memory} MB` : '';
    this.#tell(instance.job, completed ? 'COMPLETED' : 'DEAD', `wasmtime ${describeExit(exit)}${when}${why}`);
  }

  async #abandon(task: string, instance: Instance, wasReady: boolean): Promise<void> {
    const { signal } = instance.abort;
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.#node.network?.registered, stopped]);
    if (signal.aborted) return;
    if (wasReady) {
      const exit = await recordedExit(this.#node.journal.record(task));
      await this.#ended(task, instance, exit, ' while the engine was not running');
    } else {
      await this.#remove(task, instance);
      this.#tell(instance.job, 'FAILED', 'the engine was stopped during the deployment');
    }
  }

  async #remove(task: string, instance: Instance): Promise<void> {
    instance.usage = undefined;
    await instance.undo.unwind(this.#node.log);
    this.#instances.delete(task);
  }

  #tell(job: DeleteRequest, status: JobStatus, whole: string): void {
    const detail = whole.slice(0, mostDetail);
    const task = taskId(job.job_name, job.instance_number);
    this.#node.log.info(`${task} ${status}${detail === '' ? '' : `: ${detail}`}`);
    this.#report(job.job_name, job.instance_number, status, detail);
  }
}
