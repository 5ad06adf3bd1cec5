import type { DeleteRequest, DeployRequest } from '../../contract/job.ts';
import { isServiceName, taskId } from '../../contract/names.ts';
import { serialByKey } from '../../system/serial.ts';
import type { InstanceUsage } from '../cluster/messages.ts';
import { explain } from '../explain.ts';
import type { Exit, Running } from '../process/launch.ts';
import { pruneLogs } from '../process/log-folder.ts';
import { recordedExit } from '../process/record.ts';
import { settlesWithin } from '../wait.ts';
import { adoptInstances } from './adopted.ts';
import { deployInstance } from './deploy.ts';
import { begun, deleted, ended, gone, owed, type Word } from './entry.ts';
import { checkHere, EngineStopping, type Instance, newInstance, Refused } from './instance.ts';
import { logFile, type Node } from './node.ts';
import { networkLost } from './reachability.ts';
import { usageMeter } from './usage.ts';
import { endOf, type Report, teller, wordOf } from './words.ts';

/** The longest that it is kept back how an instance ended, in ms. */
const tellMs = 5000;

/** How long an engine that stops takes deployments back, in ms. */
const undoMs = 1500;

/** How long a deployment waits for what is left of the instance that had its name, in ms. */
const leavingMs = 20_000;

/**
 * The instances of this node: one change at a time for each of them, different ones side by side. Orders and words that
 * are owed are in the journal: whatever kills the engine, the next one carries them out.
 */
export class Engine {
  readonly #node: Node;
  readonly #runtimes: readonly string[];
  /** Tells the cluster a word. */
  readonly #say: (word: Word) => void;
  readonly #instances = new Map<string, Instance>();
  /** Which instance was given an address last, of those that this engine has deployed. */
  readonly #addresses = new Map<string, Instance>();
  /** Instances that have to go and have not yet gone; each promise resolves when nothing is left. */
  readonly #leaving = new Map<string, Promise<unknown>>();
  readonly #serial = serialByKey();
  /** Aborts when what is owed is left to the next engine. */
  readonly #stopping = new AbortController();

  constructor(node: Node, runtimes: readonly string[], report: Report) {
    this.#node = node;
    this.#runtimes = runtimes;
    this.#say = teller(node, report);
  }

  /**
   * Deploys an instance and reports how that went; one that is already there is left alone. Resolves when the order is
   * written down, or answered.
   */
  async deploy(job: DeployRequest): Promise<void> {
    const { promise: taken, resolve } = Promise.withResolvers<void>();
    void this.#deploy(job, resolve).finally(resolve);
    await taken;
  }

  async #deploy(job: DeployRequest, taken: () => void): Promise<void> {
    const task = taskId(job.job_name, job.instance_number);
    const leaving = this.#leaving.get(task);
    if (leaving !== undefined && !(await settlesWithin(leaving, leavingMs)))
      return this.refuse(job, 'what is left of the instance before it is not removed yet; its network, perhaps');
    await this.#serial(task, async () => {
      if (this.#instances.has(task) || this.#node.journal.entry(task).undeploy === true) {
        this.#node.log.info(`${task} is already deployed, or deleted: left alone`);
        return;
      }
      try {
        checkHere(job, this.#runtimes);
      } catch (error) {
        return this.refuse(job, explain(error));
      }
      const instance = newInstance(job);
      this.#instances.set(task, instance);
      try {
        await this.#node.journal.begin(task, job);
        taken();
        this.#say(wordOf(job, 'CREATING'));
        const deployed = await deployInstance(job, this.#node, instance.undo, instance.abort.signal);
        await this.#node.journal.update(task, begun);
        this.#addresses.set(deployed.address, instance);
        this.#watch(task, instance, deployed.running);
        this.#say(wordOf(job, 'CREATED', deployed.notes.join('; ')));
      } catch (error) {
        const { aborted, reason } = instance.abort.signal;
        if (reason instanceof EngineStopping) await this.#takeBack(task, instance);
        else await this.#finish(task, instance, aborted ? undefined : wordOf(job, 'FAILED', explain(error)));
      }
    });
  }

  /**
   * Removes an instance, also in the middle of its deployment, and answers UNDEPLOYED once nothing of it is left.
   * Resolves when the order is written down.
   */
  async undeploy(request: DeleteRequest): Promise<void> {
    const task = taskId(request.job_name, request.instance_number);
    const { journal } = this.#node;
    const written = journal.update(task, deleted);
    this.#instances.get(task)?.abort.abort(new Refused('the instance was deleted while it was being deployed'));
    void this.#serial(task, async () => {
      const instance = this.#instances.get(task);
      if (instance !== undefined) {
        // The answer to this order may have been given for the instance before.
        if (journal.entry(task).undeploy !== true) await journal.update(task, deleted);
        await this.#remove(task, instance);
      }
      // Answered already when it went for another reason meanwhile.
      else if (journal.entry(task).undeploy === true) await this.#gone(task, request);
      else if (!isServiceName(request.job_name)) this.#say(wordOf(request, 'UNDEPLOYED'));
    });
    await written;
  }

  /**
   * Reports a job that cannot even be tried; what is there already under its name is left alone. Resolves when that is
   * written down.
   */
  async refuse(request: DeleteRequest, reason: string): Promise<void> {
    const word = wordOf(request, 'FAILED', reason);
    const task = taskId(request.job_name, request.instance_number);
    if (this.#instances.has(task) && !this.#leaving.has(task)) {
      this.#node.log.warn(`${task} is already deployed: left alone; ${reason}`);
      return;
    }
    const written = this.#node.journal.update(task, owed(word));
    this.#say(word);
    await written;
  }

  /**
   * Takes over the instances that an earlier engine left running, until `signal` aborts; what it left behind of others
   * is removed as soon as NetManager lets it, and what it owed is told.
   */
  async adopt(signal: AbortSignal): Promise<void> {
    for (const { task, request, entry, duty, instance, running } of await adoptInstances(this.#node, signal)) {
      for (const word of entry.words ?? []) this.#say(word);
      if (instance === undefined) {
        if (duty === 'answer') void this.#serial(task, () => this.#gone(task, request));
        continue;
      }
      this.#instances.set(task, instance);
      if (duty === 'watch' && running !== undefined) {
        this.#node.log.info(`${task} is taken over (process ${running.id.pid})`);
        this.#watch(task, instance, running);
      } else
        void this.#serial(task, async () => {
          if (duty === 'remove' || instance.abort.signal.aborted) await this.#finish(task, instance, undefined);
          else if (duty === 'tell its end') {
            const exit = await recordedExit(this.#node.journal.record(task));
            await this.#ended(task, instance, exit, ' while the engine was not running');
          } else {
            const reason = 'the engine was stopped during the deployment';
            await this.#finish(task, instance, wordOf(instance.job, 'FAILED', reason));
          }
        });
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
    await settlesWithin(this.#node.journal.settled(), undoMs);
  }

  /** What the running instances use; one that has ended is never among them. `memoryTotal` is the node's, in bytes. */
  async usage(memoryTotal: number): Promise<readonly InstanceUsage[]> {
    const measured = await Promise.all(
      [...this.#instances.values()].map(async (instance) => ({ instance, usage: await instance.usage?.(memoryTotal) })),
    );
    // one may have ended while another one was measured
    return measured.flatMap(({ instance, usage }) =>
      usage === undefined || instance.usage === undefined || !instance.reachable ? [] : [usage],
    );
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
      await this.#finish(task, instance, wordOf(instance.job, 'DEAD', `the network is gone: ${reason}`));
    });
  }

  async #ended(task: string, instance: Instance, exit: Exit, when = ''): Promise<void> {
    if (this.#instances.get(task) !== instance) return;
    await this.#finish(task, instance, await endOf(instance.job, exit, when, this.#node));
  }

  /** Takes an instance away, and says so once nothing of it is left where that was ordered. */
  async #remove(task: string, instance: Instance): Promise<void> {
    instance.usage = undefined;
    const removed = instance.undo.unwind(this.#node.log, this.#stopping.signal);
    this.#leaving.set(task, removed);
    try {
      await removed;
    } catch (error) {
      this.#node.log.warn(`${task} is not removed whole, which is left to the next engine: ${explain(error)}`);
      return;
    } finally {
      this.#leaving.delete(task);
    }
    this.#instances.delete(task);
    for (const [address, owner] of this.#addresses) if (owner === instance) this.#addresses.delete(address);
    await this.#gone(task, instance.job);
  }

  /** Nothing is left of an instance: forgets it, and answers who has ordered that. */
  async #gone(task: string, request: DeleteRequest): Promise<void> {
    const { journal } = this.#node;
    const word = wordOf(request, 'UNDEPLOYED');
    const answer = journal.entry(task).undeploy === true;
    await journal.update(task, gone(word));
    if (answer) this.#say(word);
  }

  /** Takes away what has ended, and says so in time: its network may be owed for long while NetManager is away. */
  async #finish(task: string, instance: Instance, word: Word | undefined): Promise<void> {
    await this.#node.journal.update(task, ended(word));
    const removed = this.#remove(task, instance);
    await settlesWithin(removed, tellMs);
    if (word !== undefined) this.#say(word);
    await removed;
  }

  /** Undoes a deployment about which the next engine speaks. */
  async #takeBack(task: string, instance: Instance): Promise<void> {
    await instance.undo.unwind(this.#node.log, this.#stopping.signal).catch(() => undefined);
    this.#instances.delete(task);
  }
}
