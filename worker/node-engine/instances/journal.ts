import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Type from 'typebox';
import type { DeployRequest } from '../../contract/job.ts';
import { isServiceName, parseTaskId } from '../../contract/names.ts';
import type { Log } from '../../system/log.ts';
import {
  type Change,
  deploymentForgotten,
  deploymentOrdered,
  Entry,
  emptyEntry,
  isEmpty,
  StatusReport,
} from './entry.ts';
import { Store } from './store.ts';

/** The state folder cannot be written. */
class JournalError extends Error {
  override readonly name = 'JournalError';
}

/** Names come from a network; none but those that tasks can have are files. */
const isTask = (task: string): boolean => isServiceName(parseTaskId(task)[0]);

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/**
 * The orders that this node has taken and its pending reports, instances in one folder and reports in the one beside it,
 * so that both outlive the engine. A report is written before the instance that it is about is forgotten.
 */
export class Journal {
  readonly #folder: string;
  readonly #instances: Store<typeof Entry>;
  readonly #reports: Store<Type.TArray<typeof StatusReport>>;

  /** `folder` is absolute: its path is part of {@link file}. `spare` is in memory. */
  constructor(folder: string, spare: string, log: Log) {
    this.#folder = folder;
    this.#instances = new Store(Entry, folder, join(spare, 'instances'), log);
    this.#reports = new Store(Type.Array(StatusReport), join(dirname(folder), 'reports'), join(spare, 'reports'), log);
  }

  /** The file of an instance. It names the instance among those of every engine on this computer. */
  file(task: string): string {
    return this.#instances.file(task);
  }

  /** Where it is written down how an instance's process ended, for those that end on their own. */
  record(task: string): string {
    return join(this.#folder, `${task}.exit`);
  }

  entry(task: string): Entry {
    const reports = this.#reports.get(task);
    return { ...(this.#instances.get(task) ?? emptyEntry), ...(reports && { reports }) };
  }

  /** Changes what is remembered of an instance at once; resolves when it is written down as well as it can be. */
  async update(task: string, change: Change): Promise<void> {
    await this.#change(task, change);
  }

  /** Writes down an order, which must be safe before it is begun: rejects where the state folder cannot be written. */
  async begin(task: string, job: DeployRequest): Promise<void> {
    if (await this.#change(task, deploymentOrdered(job))) return;
    await this.#change(task, deploymentForgotten(job));
    throw new JournalError(`no new instance is started while the state folder ${this.#folder} cannot be written`);
  }

  /** Everything that an earlier engine remembered, by instance. */
  async read(): Promise<ReadonlyMap<string, Entry>> {
    await Promise.all([this.#instances.read(), this.#reports.read()]);
    const tasks = new Set([...this.#instances.names, ...this.#reports.names].filter(isTask));
    const records = (await readdir(this.#folder).catch(() => [])).filter((name) => name.endsWith('.exit'));
    for (const name of records)
      if (!tasks.has(name.slice(0, -'.exit'.length)))
        await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
    return new Map([...tasks].map((task) => [task, this.entry(task)]));
  }

  /** Resolves when all changes are written. */
  async settled(): Promise<void> {
    await Promise.all([this.#instances.settled(), this.#reports.settled()]);
  }

  /** Resolves with false when something of it could not be written where it belongs. */
  async #change(task: string, change: Change): Promise<boolean> {
    const before = this.entry(task);
    const after = change(before);
    if (after === before || !isTask(task)) return true;
    const { reports: had, ...was } = before;
    const { reports, ...is } = after;
    const reported = isSame(had, reports) ? Promise.resolve(true) : this.#reports.set(task, reports);
    const kept = isSame(was, is) || this.#keep(task, is, reported);
    return (await reported) && (await kept);
  }

  async #keep(task: string, entry: Entry, reported: Promise<unknown>): Promise<boolean> {
    const isWritten = await this.#instances.set(task, isEmpty(entry) ? undefined : entry, reported);
    if (entry.job === undefined) await rm(this.record(task), { force: true }).catch(() => undefined);
    return isWritten;
  }
}
