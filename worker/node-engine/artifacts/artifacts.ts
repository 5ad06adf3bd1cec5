import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ComponentInfo } from '../../contract/component.ts';
import { maxFetchMs } from '../../contract/limits.ts';
import { keyedMutex } from '../../system/locks/keyed-mutex.ts';
import { Slots } from '../../system/locks/slots.ts';
import { deadline } from '../../system/wait.ts';
import { CacheClock, freeBytes, pruneFolder, removeParts } from './cache-folder.ts';
import type { Incoming, Located } from './download.ts';
import type { Budget } from './eviction.ts';
import { locate } from './fetch.ts';
import { FetchError } from './fetch-error.ts';
import { inspectFile } from './inspect.ts';
import { parseReference, type Reference } from './reference.ts';
import { digestOf, maxBytes, save, tooLarge } from './save.ts';
import { defaultSources, type Sources } from './sources.ts';

/** A component that lies in the cache, checked and inspected. */
export type Artifact = { readonly file: string; readonly digest: string; readonly info: ComponentInfo };

const day = 86_400_000;

/** What may stay of components that nobody uses. */
const usualBudget: Budget = { bytes: 4 * maxBytes, unusedMs: 30 * day };

/** How many downloads are under way at the same time on a node; the others wait. */
const maxDownloads = 4;

/** How long a server may take until an answer begins, or a registry until it has said what to fetch, in ms. */
const answerMs = 60_000;

const openSoon = async (found: Located, signal: AbortSignal): Promise<Incoming> => {
  using limit = deadline(signal, answerMs, "the server's answer");
  // what then comes is read for as long as `signal` lets it
  return await found.open(AbortSignal.any([signal, limit]));
};

/** What has to be left free for others on the disk of the cache, in bytes. */
const leftFree = 32 * 1024 * 1024;

const cachedName = /^[0-9a-f]{64}\.wasm$/;

const megabytes = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);

/** Components in a folder, each named by its SHA-256; instances share them. */
export class ArtifactCache {
  readonly #folder: string;
  readonly #sources: Sources;
  readonly #budget: Budget;
  readonly #serial = keyedMutex();
  readonly #downloads = new Slots(maxDownloads);
  /** How many instances use a component, by its digest. */
  readonly #users = new Map<string, number>();
  readonly #clock = new CacheClock();
  #incoming = 0;
  /** Bytes that downloads under way will still need. */
  #reserved = 0;

  constructor(folder: string, sources: Sources = defaultSources, budget: Budget = usualBudget) {
    this.#folder = folder;
    this.#sources = sources;
    this.#budget = budget;
  }

  /** Makes the folder and removes from it what interrupted downloads have left, and what is beyond its budget. */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o755 });
    await this.#prune();
    await removeParts(this.#folder);
  }

  /**
   * The component that `image` names: from the cache when the image or the registry says its digest, else fetched, once
   * even when several instances ask for it; few are fetched at the same time. The bytes get their place only after size, digest
   * and format are checked, and cached ones are checked again; until then nobody else can read them. It stays there
   * until {@link release}, however full the cache is. Throws {@link FetchError}, {@link NotWebAssembly} or
   * {@link InvalidData}.
   */
  async fetch(image: string, signal: AbortSignal): Promise<Artifact> {
    const reference = parseReference(image);
    const { digest } = reference;
    const find = (limit: AbortSignal) => locate(reference, this.#sources, limit);
    const load = async (found: Located) => this.#limited(signal, (limit) => this.#receive(reference, found, limit));
    if (digest !== undefined)
      return this.#serial(
        digest,
        async () => (await this.#cached(digest)) ?? load(await this.#limited(signal, find, answerMs)),
      );
    const found = await this.#limited(signal, find, answerMs);
    const { digest: said } = found;
    if (said === undefined) return load(found);
    return this.#serial(said, async () => (await this.#cached(said)) ?? load(found));
  }

  /** Says that one who has fetched a component needs it no more. */
  release({ digest }: Pick<Artifact, 'digest'>): void {
    const left = (this.#users.get(digest) ?? 1) - 1;
    if (left > 0) this.#users.set(digest, left);
    else this.#users.delete(digest);
  }

  #hold(digest: string): void {
    this.#users.set(digest, (this.#users.get(digest) ?? 0) + 1);
  }

  /** Does one of the few things that may be under way with servers at a time, within the time for it. */
  async #limited<T>(signal: AbortSignal, work: (limit: AbortSignal) => Promise<T>, ms = maxFetchMs): Promise<T> {
    using _slot = await this.#downloads.take(signal);
    using limit = deadline(signal, ms, 'the download');
    try {
      return await work(limit);
    } catch (error) {
      throw limit.aborted ? limit.reason : error;
    }
  }

  async #receive(reference: Reference, found: Located, signal: AbortSignal): Promise<Artifact> {
    // The disk may have been away when the engine began.
    await this.#writing(() => mkdir(this.#folder, { recursive: true, mode: 0o755 }));
    this.#incoming += 1;
    const part = join(this.#folder, `${process.pid}-${this.#incoming}.part`);
    const incoming = await openSoon(found, signal);
    try {
      using _room = await this.#reserve(incoming.size ?? 0);
      const expected = [reference.digest, found.digest].filter((digest) => digest !== undefined);
      return await this.#keep(incoming, part, expected, reference.kind === 'file');
    } finally {
      incoming.bytes.destroy();
      await rm(part, { force: true }).catch(() => undefined); // it is removed at the next start
    }
  }

  async #keep(incoming: Incoming, part: string, expected: readonly string[], secret: boolean): Promise<Artifact> {
    await using file = await this.#writing(() => open(part, 'wx+', 0o600));
    const digest = await save(incoming, file);
    for (const wanted of expected) {
      if (wanted === digest) continue;
      // A digest can tell what is in a file of this node.
      throw new FetchError(`the component's SHA-256 is ${secret ? 'another one' : digest}, expected ${wanted}`);
    }
    const info = await inspectFile(file);
    const place = this.#place(digest);
    await file.chmod(0o644);
    await file.sync();
    await rename(part, place);
    this.#hold(digest);
    await this.#prune();
    return { file: place, digest, info };
  }

  /** Writes to the folder; where that cannot be, the error says so. */
  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new FetchError(`no component can be kept in ${this.#folder}`, { cause });
    }
  }

  #place(digest: string): string {
    return join(this.#folder, `${digest}.wasm`);
  }

  async #cached(digest: string): Promise<Artifact | undefined> {
    const place = this.#place(digest);
    this.#hold(digest);
    try {
      await using file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
      const now = new Date();
      if ((await digestOf(file)) === digest) {
        await file.utimes(now, now).catch(() => undefined); // only who is evicted first depends on it
        return { file: place, digest, info: await inspectFile(file) };
      }
    } catch {
      // Not there, or not to be read: it is fetched.
    }
    this.release({ digest });
    return undefined;
  }

  /** Sees to it that there is room for `size` bytes, if need be by removing what nobody uses. */
  async #reserve(size: number): Promise<Disposable> {
    if (size > maxBytes) tooLarge();
    this.#reserved += size;
    const room: Disposable = {
      [Symbol.dispose]: () => {
        this.#reserved -= size;
      },
    };
    const enough = async () => (await freeBytes(this.#folder)) >= this.#reserved + leftFree;
    if (size === 0 || (await enough())) return room;
    await this.#prune({ ...this.#budget, bytes: 0 });
    if (await enough()) return room;
    room[Symbol.dispose]();
    throw new FetchError(`the component has ${megabytes(size)} MB, for which there is no room in ${this.#folder}`);
  }

  #prune(budget = this.#budget): Promise<void> {
    const isHeld = (name: string) => this.#users.has(name.slice(0, 64));
    return pruneFolder(this.#folder, cachedName, budget, isHeld, this.#clock);
  }
}
