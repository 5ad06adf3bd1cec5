import type { DeleteRequest } from '../../contract/job.ts';
import { explain } from '../../system/explain.ts';
import { keyedMutex } from '../../system/locks/keyed-mutex.ts';
import { settlesWithin } from '../../system/wait.ts';
import type { Running } from '../process/launch.ts';
import type { Exit } from '../process/record.ts';
import { instanceEnded, instanceRemoved, type StatusReport } from './entry.ts';
import { EngineStopping, type Instance } from './instance.ts';
import { networkLost } from './network/reachability.ts';
import { logFile, type Node } from './node.ts';
import { endReport, statusReport } from './reports.ts';
import type { InstanceUsage } from './usage.ts';
import { usageMeter } from './usage.ts';

/** The longest that it is kept back how an instance ended, in ms. */
const removalMs = 5000;

/** The instances that are on this node: watches them, and takes away what has ended or has to go. */
export class Supervisor {
  readonly #node: Node;
  /** Sends a status report to the cluster. */
  readonly #report: (report: StatusReport) => void;
  readonly #instances = new Map<string, Instance>();
  /** Which instance was given an address last, of those that this engine has deployed. */
  readonly #addresses = new Map<string, Instance>();
  readonly #serial = keyedMutex();
  /** Aborts when what is pending is left to the next engine. */
  readonly #stopping = new AbortController();

  constructor(node: Node, report: (report: StatusReport) => void) {
    this.#node = node;
    this.#report = report;
  }

  get(task: string): Instance | undefined {
    return this.#instances.get(task);
  }

  add(task: string, instance: Instance): void {
    this.#instances.set(task, instance);
  }

  /** True while an instance is there, or on its way up, that does not have to go. */
  isUp(task: string): boolean {
    return this.#instances.has(task) && this.#node.journal.entry(task).removing !== true;
  }

  /** Runs `work` when all that was begun for this instance before is done. */
  turn<T>(task: string, work: () => Promise<T>): Promise<T> {
    return this.#serial(task, work);
  }

  /** Watches an instance that runs; `address` is the one that it was given, where that is known. */
  watch(task: string, instance: Instance, running: Running, address?: string): void {
    if (address !== undefined) this.#addresses.set(address, instance);
    instance.usage = usageMeter(instance.job, running.id, logFile(this.#node, task));
    const exited = (exit: Exit) => {
      instance.usage = undefined;
      return this.turn(task, () => this.handleExit(task, instance, exit));
    };
    running.exited.then(exited, () => undefined);
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
    await this.turn(task, async () => {
      if (this.#instances.get(task) !== instance) return;
      await this.finish(task, instance, statusReport(instance.job, 'DEAD', `the network is gone: ${reason}`));
    });
  }

  /** Removes an instance whose process has ended on its own, and reports how. */
  async handleExit(task: string, instance: Instance, exit: Exit, when = ''): Promise<void> {
    if (this.#instances.get(task) !== instance) return;
    await this.finish(task, instance, await endReport(instance.job, exit, when, this.#node));
  }

  /** Removes what has ended, and reports it in time: removing its network waits while NetManager is away. */
  async finish(task: string, instance: Instance, report: StatusReport | undefined): Promise<void> {
    await this.#node.journal.update(task, instanceEnded(report));
    const removed = this.remove(task, instance);
    await settlesWithin(removed, removalMs);
    if (report !== undefined) this.#report(report);
    await removed;
  }

  /** Removes an instance; where that was ordered, reports UNDEPLOYED once nothing of it is left. */
  async remove(task: string, instance: Instance): Promise<void> {
    instance.usage = undefined;
    try {
      await instance.undo.unwind(this.#node.log, this.#stopping.signal);
    } catch (error) {
      this.#node.log.warn(`${task} is not removed whole, which is left to the next engine: ${explain(error)}`);
      return;
    }
    this.#instances.delete(task);
    for (const [address, owner] of this.#addresses) if (owner === instance) this.#addresses.delete(address);
    await this.forget(task, instance.job);
  }

  /** Nothing is left of an instance: forgets it, and answers who has ordered that. */
  async forget(task: string, request: DeleteRequest): Promise<void> {
    const { journal } = this.#node;
    const report = statusReport(request, 'UNDEPLOYED');
    const answer = journal.entry(task).undeploy === true;
    await journal.update(task, instanceRemoved(report));
    if (answer) this.#report(report);
  }

  /** Undoes a deployment about which the next engine speaks. */
  async undoDeployment(task: string, instance: Instance): Promise<void> {
    await instance.undo.unwind(this.#node.log, this.#stopping.signal).catch(() => undefined);
    this.#instances.delete(task);
  }

  /** Breaks off what is on its way up or down, and leaves to the next engine what is not done within `ms`. */
  async close(ms: number): Promise<void> {
    const unfinished = [...this.#instances].filter(([, instance]) => instance.usage === undefined);
    const late = setTimeout(() => this.#stopping.abort(new EngineStopping('the engine is stopping')), ms);
    await Promise.all(
      unfinished.map(([task, instance]) => {
        instance.abort.abort(new EngineStopping('the engine is stopping'));
        return this.turn(task, async () => undefined);
      }),
    );
    clearTimeout(late);
  }

  /**
   * What the running instances use, `memoryTotal` being the node's memory in bytes. One that has ended is never among
   * them, nor one with a pending report, which has to be sent first.
   */
  async usage(memoryTotal: number): Promise<readonly InstanceUsage[]> {
    const measured = await Promise.all(
      [...this.#instances].map(async ([task, instance]) => ({
        task,
        instance,
        usage: await instance.usage?.(memoryTotal),
      })),
    );
    // one may have ended while another one was measured
    return measured.flatMap(({ task, instance, usage }) => {
      const isPending = this.#node.journal.entry(task).reports !== undefined;
      return usage === undefined || instance.usage === undefined || !instance.reachable || isPending ? [] : [usage];
    });
  }
}
