import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rm, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { compileOptions, nativeName } from '../../contract/native.ts';
import { explain } from '../../system/explain.ts';
import { keyedMutex } from '../../system/locks/keyed-mutex.ts';
import { Slots } from '../../system/locks/slots.ts';
import type { Log } from '../../system/log.ts';
import { compilerUsers } from '../../system/users.ts';
import type { Artifact } from '../artifacts/artifacts.ts';
import { CacheClock, pruneFolder, removeParts } from '../artifacts/cache-folder.ts';
import type { Budget } from '../artifacts/eviction.ts';
import type { Program, Runtime } from '../runtime/runtime.ts';
import { CompileError, compile, outputFile } from './compile.ts';
import { architecture, processorFeatures } from './processor.ts';

/** What may stay of compiled code. */
const usualBudget: Budget = { bytes: 1024 ** 3, unusedMs: 30 * 86_400_000 };

/** Names of code that a node has compiled itself, with its processor's features in them. */
const ownName = /^[0-9a-f]{64}-.+-[0-9a-f]{12}-epoch\.cwasm$/;

const writableByOthers = 0o022;

const onlyOursToWrite = async (path: string): Promise<boolean> => {
  const stat = await lstat(path).catch(() => undefined);
  const ours = stat !== undefined && (stat.uid === 0 || stat.uid === process.geteuid?.());
  return ours && !stat.isSymbolicLink() && (stat.mode & writableByOthers) === 0;
};

/** Appends what is in one file, from its beginning, to another; little of it is in memory at a time. */
const copy = async (from: FileHandle, to: FileHandle): Promise<void> => {
  const piece = Buffer.alloc(1 << 20);
  for (let at = 0; ; ) {
    const { bytesRead } = await from.read(piece, 0, piece.length, at);
    if (bytesRead === 0) return;
    await to.writeFile(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
};

/** Where native code lies, and with what it is made. */
type Place = {
  /** Folder of the code, which instances read. */
  readonly folder: string;
  /** A folder that only the engine's user can enter. */
  readonly scratch: string;
  readonly runtime: Runtime;
  /** True when this node compiles by itself; else it runs only what root has put into the folder. */
  readonly compiles: boolean;
  readonly log: Log;
};

/** The native code of components: each is compiled once on a node, before its first instance starts. */
export class NativeCode {
  readonly #place: Place;
  readonly #budget: Budget;
  readonly #serial = keyedMutex();
  readonly #compilers = new Slots(compilerUsers.count);
  #features: Promise<string> | undefined;
  readonly #clock = new CacheClock();
  #compiled = 0;

  constructor(place: Place, budget: Budget = usualBudget) {
    this.#place = place;
    this.#budget = budget;
  }

  /** Removes what an engine that was killed has left, and what is beyond the budget. */
  async prepare(): Promise<void> {
    const { folder, scratch } = this.#place;
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await this.#prune('');
    await Promise.all([removeParts(folder), removeParts(scratch)]);
  }

  /**
   * The native code of a component: what root or this node has put into the folder, else compiled now, once even when
   * several instances ask for it, and few at the same time. Undefined where there is none and this node does not
   * compile. Throws what the compiler said.
   */
  async program(artifact: Artifact, signal: AbortSignal): Promise<Program | undefined> {
    const { runtime, folder, compiles } = this.#place;
    const given = await this.#trusted(join(folder, nativeName(artifact.digest, runtime.version, architecture)));
    if (given !== undefined || !compiles) return given;
    this.#features ??= processorFeatures();
    const processor = `${architecture}-${await this.#features}`;
    const file = join(folder, nativeName(artifact.digest, runtime.version, processor));
    return this.#serial(file, async () => {
      signal.throwIfAborted();
      const known = await this.#trusted(file);
      if (known !== undefined) {
        const now = new Date();
        await utimes(file, now, now).catch(() => undefined); // only who is evicted first depends on it
        return known;
      }
      await this.#make(file, artifact, signal);
      await this.#prune(basename(file));
      return { file, precompiled: true };
    });
  }

  /** Removes code that this node has made and that has turned out to be of no use; the log tells where it cannot. */
  async discard({ file }: Program): Promise<void> {
    const { folder, log } = this.#place;
    if (dirname(file) !== folder || !ownName.test(basename(file))) return;
    await rm(file, { force: true }).catch((error: unknown) => log.warn(`${file} stays: ${explain(error)}`));
  }

  /** A file of native code. It counts only when nobody but root and the engine could have written it. */
  async #trusted(file: string): Promise<Program | undefined> {
    if ((await lstat(file).catch(() => undefined)) === undefined) return undefined;
    if ((await onlyOursToWrite(dirname(file))) && (await onlyOursToWrite(file))) return { file, precompiled: true };
    this.#place.log.warn(`${file} is not used: it and its folder must belong to root and be writable by nobody else`);
    return undefined;
  }

  async #make(file: string, artifact: Artifact, signal: AbortSignal): Promise<void> {
    const { folder, scratch, runtime, log } = this.#place;
    await mkdir(folder, { recursive: true, mode: 0o755 });
    if (!(await onlyOursToWrite(folder)))
      throw new CompileError(`${folder} must belong to root and be writable by nobody else`);
    using slot = await this.#compilers.take(signal);
    this.#compiled += 1;
    const name = `${process.pid}-${this.#compiled}.part`;
    await using output = await open(join(scratch, name), 'wx+', 0o600);
    // From here on only who has the descriptor can reach it, and nothing is left of it however this ends.
    await rm(join(scratch, name));
    const user = runtime.separate ? compilerUsers.first + slot.index : runtime.user;
    if (user !== undefined) await output.chown(user, user);
    const began = performance.now();
    await compile({ argv: runtime.compileArgv(artifact.file, compileOptions, outputFile), user }, output, signal);
    log.info(`${artifact.digest} compiled in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    await this.#install(output, file);
  }

  /** Puts a copy, which only the engine could have written, in its place. */
  async #install(output: FileHandle, file: string): Promise<void> {
    const part = `${file}.${process.pid}.part`;
    try {
      await rm(part, { force: true });
      await using target = await open(part, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
      await copy(output, target);
      await target.chmod(0o644);
      await target.sync();
      await rename(part, file);
    } finally {
      await rm(part, { force: true });
    }
  }

  #prune(kept: string): Promise<void> {
    return pruneFolder(this.#place.folder, ownName, this.#budget, (name) => name === kept, this.#clock);
  }
}
