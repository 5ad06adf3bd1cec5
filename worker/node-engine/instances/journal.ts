import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../../contract/check.ts';
import { DeployRequest } from '../../contract/job.ts';
import { taskId } from '../../contract/names.ts';
import { replaceFile } from '../../system/atomic-file.ts';
import type { Log } from '../../system/log.ts';
import { explain } from '../explain.ts';

/** What the engine has to remember of an instance. `ready` is set once it has been reported as CREATED. */
export const Entry = Type.Object({ job: DeployRequest, ready: Type.Boolean() });
type JournalEntry = Static<typeof Entry>;

/** The instances that this node owes to its cluster, one file each, so that they outlive the engine. */
export class Journal {
  readonly #folder: string;

  /** `folder` is absolute: its path is part of {@link file}. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file of an instance. It names the instance among those of every engine on this computer. */
  file(task: string): string {
    return join(this.#folder, `${task}.json`);
  }

  /** Where it is written down how an instance's process ended, for those that end on their own. */
  record(task: string): string {
    return join(this.#folder, `${task}.exit`);
  }

  async put(entry: JournalEntry): Promise<void> {
    const task = taskId(entry.job.job_name, entry.job.instance_number);
    await replaceFile(this.file(task), `${JSON.stringify(entry)}\n`, 0o600);
  }

  async remove(task: string): Promise<void> {
    await rm(this.record(task), { force: true });
    await rm(this.file(task), { force: true });
  }

  /** Everything remembered. A file that cannot be understood is named in the log and left where it is. */
  async read(log: Log): Promise<readonly JournalEntry[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const files = (await readdir(this.#folder)).filter((name) => name.endsWith('.json'));
    const entries = await Promise.all(
      files.map(async (name) => {
        const file = join(this.#folder, name);
        try {
          return parseJson(Entry, await readFile(file, 'utf8'), file);
        } catch (error) {
          log.error(`${explain(error)}; the file is ignored`);
          return undefined;
        }
      }),
    );
    return entries.filter((entry) => entry !== undefined);
  }
}
