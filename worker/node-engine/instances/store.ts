import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Static, TSchema } from 'typebox';
import { parseJson } from '../../contract/check.ts';
import { removeFile, replaceFile } from '../../system/atomic-file.ts';
import { explain } from '../../system/explain.ts';
import { keyedMutex } from '../../system/locks/keyed-mutex.ts';
import type { Log } from '../../system/log.ts';

/** How often it is tried whether a folder that could not be written can be again, in ms. */
const againMs = 5000;

const isJson = (name: string): boolean => name.endsWith('.json');

/**
 * Values by name, a file each, that survive the process and a loss of power. What cannot be written, because the disk
 * is full or read-only, goes to a `spare` folder in memory (tmpfs) meanwhile, and home again as soon as it can.
 */
export class Store<T extends TSchema> {
  readonly #schema: T;
  readonly #folder: string;
  readonly #spare: string;
  readonly #log: Log;
  readonly #values = new Map<string, Static<T>>();
  readonly #serial = keyedMutex();
  readonly #saving = new Set<Promise<void>>();
  /** Names whose file in the folder is not what it should be. */
  readonly #unsaved = new Set<string>();
  /** Set from the first write that fails until one succeeds. */
  #troubled = false;
  /** Set from the first write to the spare folder that fails until one succeeds. */
  #forgetful = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(schema: T, folder: string, spare: string, log: Log) {
    this.#schema = schema;
    this.#folder = folder;
    this.#spare = spare;
    this.#log = log;
  }

  file(name: string): string {
    return join(this.#folder, `${name}.json`);
  }

  get names(): readonly string[] {
    return [...this.#values.keys()];
  }

  get(name: string): Static<T> | undefined {
    return this.#values.get(name);
  }

  /**
   * Sets or forgets a value at once, and writes that once `first` has settled; resolves when it is written as well as
   * it can be: true where it belongs.
   */
  async set(name: string, value: Static<T> | undefined, first: Promise<unknown> = Promise.resolve()): Promise<boolean> {
    if (value === undefined) this.#values.delete(name);
    else this.#values.set(name, value);
    const saving = this.#serial(name, () => first.then(() => this.#save(name)));
    this.#saving.add(saving);
    await saving;
    this.#saving.delete(saving);
    return !this.#unsaved.has(name);
  }

  /** Resolves when all that was set is written. */
  async settled(): Promise<void> {
    await Promise.all(this.#saving);
  }

  /**
   * Reads what there is. A file that cannot be understood is named in the log and left where it is; what a write left
   * behind that was broken off is removed.
   */
  async read(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 }).catch((error: unknown) =>
      this.#log.error(explain(error)),
    );
    for (const folder of [this.#folder, this.#spare])
      for (const [name, value] of await this.#readFolder(folder)) {
        if (value === null) this.#values.delete(name);
        else this.#values.set(name, value);
        if (folder === this.#spare) this.#unsaved.add(name);
      }
    await this.#saveAll();
  }

  async #readFolder(folder: string): Promise<readonly (readonly [name: string, value: Static<T> | null])[]> {
    const files = await readdir(folder).catch(() => []);
    const left = files.filter((file) => file.endsWith('.new'));
    await Promise.all(left.map((file) => rm(join(folder, file), { force: true }).catch(() => undefined)));
    const values = await Promise.all(
      files.filter(isJson).map(async (name) => {
        const file = join(folder, name);
        try {
          const text = await readFile(file, 'utf8');
          return [basename(name, '.json'), text === 'null' ? null : parseJson(this.#schema, text, file)] as const;
        } catch (error) {
          this.#log.error(`${explain(error)}; the file is ignored`);
          return undefined;
        }
      }),
    );
    return values.filter((value) => value !== undefined);
  }

  /** Writes what a name has now. Never rejects. */
  async #save(name: string): Promise<void> {
    const value = this.#values.get(name);
    const spare = join(this.#spare, `${name}.json`);
    try {
      if (value === undefined) await removeFile(this.file(name));
      else await replaceFile(this.file(name), `${JSON.stringify(value)}\n`, { mode: 0o600, durable: true });
      if (this.#unsaved.delete(name)) await removeFile(spare);
      // a full disk lets files be removed
      if (!this.#troubled || value === undefined) return;
      this.#troubled = false;
      this.#log.info(`${this.#folder} can be written again`);
    } catch (error) {
      if (!this.#troubled)
        this.#log.error(
          `${explain(error)}; instances go on, new ones are refused until ${this.#folder} can be written`,
        );
      this.#troubled = true;
      this.#unsaved.add(name);
      this.#retry ??= setTimeout(() => void this.#saveAll(), againMs).unref();
      await mkdir(this.#spare, { recursive: true, mode: 0o700 })
        .then(() => replaceFile(spare, JSON.stringify(value ?? null), { mode: 0o600 }))
        .then(() => {
          this.#forgetful = false;
        })
        .catch((other: unknown) => {
          if (!this.#forgetful)
            this.#log.error(`${name} and what comes after it is remembered in memory only: ${explain(other)}`);
          this.#forgetful = true;
        });
    }
  }

  async #saveAll(): Promise<void> {
    this.#retry = undefined;
    await Promise.all([...this.#unsaved].map((name) => this.#serial(name, () => this.#save(name))));
  }
}
