import type { DeleteRequest, DeployRequest } from '../../contract/job.ts';
import { isServiceName, taskId } from '../../contract/names.ts';
import { explain } from '../../system/explain.ts';
import { settlesWithin } from '../../system/wait.ts';
import { pruneLogs } from '../process/log-folder.ts';
import { recordedExit } from '../process/record.ts';
import { type Adopted, adoptInstances } from './adopted.ts';
import { deployInstance } from './deploy.ts';
import { deletionOrdered, deploymentDropped, instanceStarted, reportPending, type StatusReport } from './entry.ts';
import { checkHere, EngineStopping, type Instance, JobRejected, newInstance } from './instance.ts';
import type { Node } from './node.ts';
import { reporter, type SendStatus, statusReport } from './reports.ts';
import { Supervisor } from './supervisor.ts';
import type { InstanceUsage } from './usage.ts';

/** How long an engine that stops takes deployments back, in ms. */
const undoMs = 1500;

/** How long a deployment waits for what is left of the instance that had its name, in ms. */
const leavingMs = 20_000;
const leavingReason = 'what is left of the instance before it is not removed yet; its network, perhaps';

/**
 * Carries out what a cluster orders, for each instance in the order in which that came, different ones side by side.
 * Orders and pending reports are in the journal: whatever kills the engine, the next one carries them out.
 */
export class Engine {
  readonly #node: Node;
  readonly #runtimes: readonly string[];
  /** Sends a status report to the cluster. */
  readonly #report: (report: StatusReport) => void;
  readonly #supervisor: Supervisor;
  /** Ordered instances whose turn has not come. */
  readonly #waiting = new Map<string, Instance>();

  constructor(node: Node, runtimes: readonly string[], send: SendStatus) {
    this.#node = node;
    this.#runtimes = runtimes;
    this.#report = reporter(node, send);
    this.#supervisor = new Supervisor(node, this.#report);
  }

  /**
   * Deploys an instance and reports how that went, and what was `leftOut` of the order; one that is already there is left
   * alone. Resolves when the order is written down, or answered.
   */
  async deploy(job: DeployRequest, leftOut: readonly string[]): Promise<void> {
    const task = taskId(job.job_name, job.instance_number);
    if (this.#isOrdered(task)) {
      this.#node.log.info(`${task} is already deployed: request ignored`);
      return;
    }
    try {
      checkHere(job, this.#runtimes);
    } catch (error) {
      return await this.refuse(job, explain(error));
    }
    const instance = newInstance(job);
    this.#waiting.set(task, instance);
    const written = this.#node.journal.begin(task, job);
    const late = setTimeout(() => {
      if (this.#node.journal.entry(task).next === job) void this.#forgo(task, instance, leavingReason);
    }, leavingMs);
    void this.#supervisor.turn(task, async () => {
      clearTimeout(late);
      if (instance.abort.signal.aborted) return;
      this.#waiting.delete(task);
      await this.#begin(task, instance, written, leftOut);
    });
    await written.catch((error: unknown) => this.#forgo(task, instance, explain(error)));
  }

  /** Answers an order before its turn. */
  async #forgo(task: string, instance: Instance, reason: string): Promise<void> {
    if (this.#waiting.get(task) !== instance) return;
    this.#waiting.delete(task);
    instance.abort.abort(new JobRejected(reason));
    const report = statusReport(instance.job, 'FAILED', reason);
    await this.#node.journal.update(task, deploymentDropped(report));
    this.#report(report);
  }

  async #begin(task: string, instance: Instance, written: Promise<void>, leftOut: readonly string[]): Promise<void> {
    const { job } = instance;
    this.#supervisor.add(task, instance);
    try {
      await written;
      this.#report(statusReport(job, 'CREATING'));
      const deployed = await deployInstance(job, this.#node, instance.undo, instance.abort.signal);
      const created = statusReport(job, 'CREATED', [...leftOut, ...deployed.notes].join('; '));
      await this.#node.journal.update(task, instanceStarted(created));
      this.#supervisor.watch(task, instance, deployed.running, deployed.address);
      this.#report(created);
    } catch (error) {
      const { aborted, reason } = instance.abort.signal;
      if (reason instanceof EngineStopping) await this.#supervisor.undoDeployment(task, instance);
      else
        await this.#supervisor.finish(
          task,
          instance,
          aborted ? undefined : statusReport(job, 'FAILED', explain(error)),
        );
    }
  }

  /**
   * Removes an instance, also in the middle of its deployment, and answers UNDEPLOYED once nothing of it is left.
   * Resolves when the order is written down.
   */
  async undeploy(request: DeleteRequest): Promise<void> {
    const task = taskId(request.job_name, request.instance_number);
    const { journal } = this.#node;
    const written = journal.update(task, deletionOrdered);
    const reason = new JobRejected('the instance was deleted while it was being deployed');
    for (const instance of [this.#waiting.get(task), this.#supervisor.get(task)]) instance?.abort.abort(reason);
    this.#waiting.delete(task);
    void this.#supervisor.turn(task, async () => {
      const instance = this.#supervisor.get(task);
      if (instance !== undefined) await this.#supervisor.remove(task, instance);
      // Answered already when it went for another reason meanwhile.
      else if (journal.entry(task).undeploy === true) await this.#supervisor.forget(task, request);
      else if (!isServiceName(request.job_name)) this.#report(statusReport(request, 'UNDEPLOYED'));
    });
    await written;
  }

  /**
   * Reports a job that cannot even be tried; what is there already under its name is left alone. Such an answer changes
   * nothing, so it does not wait for its turn. Resolves when it is written down.
   */
  async refuse(request: DeleteRequest, reason: string): Promise<void> {
    const report = statusReport(request, 'FAILED', reason);
    const task = taskId(request.job_name, request.instance_number);
    if (this.#isOrdered(task)) {
      this.#node.log.warn(`${task} is already deployed: request ignored; ${reason}`);
      return;
    }
    const written = this.#node.journal.update(task, reportPending(report));
    this.#report(report);
    await written;
  }

  /**
   * Takes over the instances that an earlier engine left running, until `signal` aborts; what it left behind of others
   * is removed as soon as NetManager lets it, and its pending reports are sent.
   */
  async adopt(signal: AbortSignal): Promise<void> {
    for (const adopted of await adoptInstances(this.#node, signal)) {
      const { task, entry } = adopted;
      for (const report of entry.reports ?? []) this.#report(report);
      if (entry.next !== undefined) {
        const report = statusReport(entry.next, 'FAILED', 'the engine was stopped before the deployment began');
        void this.#node.journal.update(task, deploymentDropped(report));
        this.#report(report);
      }
      this.#adoptOne(adopted);
    }
  }

  #adoptOne({ task, request, duty, instance, running }: Adopted): void {
    const supervisor = this.#supervisor;
    if (instance === undefined) {
      if (duty === 'answer') void supervisor.turn(task, () => supervisor.forget(task, request));
      return;
    }
    supervisor.add(task, instance);
    if (duty === 'watch' && running !== undefined) {
      this.#node.log.info(`${task} is taken over (process ${running.id.pid})`);
      supervisor.watch(task, instance, running);
      return;
    }
    void supervisor.turn(task, async () => {
      if (duty === 'remove' || instance.abort.signal.aborted) return await supervisor.finish(task, instance, undefined);
      if (duty === 'report its end') {
        const exit = await recordedExit(this.#node.journal.record(task));
        return await supervisor.handleExit(task, instance, exit, ' while the engine was not running');
      }
      const reason = 'the engine was stopped during the deployment';
      await supervisor.finish(task, instance, statusReport(instance.job, 'FAILED', reason));
    });
  }

  /**
   * Breaks off the deployments that are under way and undoes them, so that the next engine reports that they FAILED;
   * running instances stay.
   */
  async close(): Promise<void> {
    for (const instance of this.#waiting.values()) instance.abort.abort(new EngineStopping('the engine is stopping'));
    await this.#supervisor.close(undoMs);
    await settlesWithin(this.#node.journal.settled(), undoMs);
  }

  /** {@link Supervisor.usage}. */
  async usage(memoryTotal: number): Promise<readonly InstanceUsage[]> {
    return await this.#supervisor.usage(memoryTotal);
  }

  /** Removes the output of instances that have been gone for long. Never rejects. */
  async pruneLogs(): Promise<void> {
    const { log, logs } = this.#node;
    await pruneLogs(logs, (task) => this.#supervisor.get(task) !== undefined).catch((error: unknown) =>
      log.warn(`old output was not removed: ${explain(error)}`),
    );
  }

  /** True when an instance is there that does not have to go, or is to come. */
  #isOrdered(task: string): boolean {
    return this.#supervisor.isUp(task) || this.#waiting.has(task);
  }
}
