import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type ComponentInfo, inspectComponent } from '../../contract/component.ts';
import { mostFetchMs } from '../../contract/limits.ts';
import { serialByKey } from '../../system/serial.ts';
import { deadline } from '../wait.ts';
import { FetchError, type Incoming } from './download.ts';
import { openReference } from './fetch.ts';
import { type Cached, surplus } from './prune.ts';
import { parseReference, type Reference } from './reference.ts';

/** A component that lies in the cache, checked and inspected. */
export type Artifact = { readonly file: string; readonly digest: string; readonly info: ComponentInfo };

/** The most bytes that a component may have. */
export const mostBytes = 128 * 1024 * 1024;

/** The bytes that the cache may have before what was not used for longest is removed from it. */
const mostCachedBytes = 4 * mostBytes;

const tooLarge = (): never => {
  throw new FetchError(`the component is larger than ${mostBytes / 1024 / 1024} MB`);
};

/** Components in a folder, each named by its SHA-256; instances share them. */
export class ArtifactCache {
  readonly #folder: string;
  readonly #most: number;
  readonly #serial = serialByKey();
  /** How many instances use a component, by its digest. */
  readonly #users = new Map<string, number>();
  #incoming = 0;

  /** `most` is how many bytes may stay when nobody uses them. */
  constructor(folder: string, most = mostCachedBytes) {
    this.#folder = folder;
    this.#most = most;
  }

  /** Makes the folder and removes what interrupted downloads left in it. */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o755 });
    const partial = (await readdir(this.#folder)).filter((name) => name.endsWith('.part'));
    await Promise.all(partial.map((name) => rm(join(this.#folder, name), { force: true })));
  }

  /**
   * The component that `image` names: from the cache when the image says its digest, else fetched, once even when
   * several instances ask for it. The bytes get their place only after size, digest and format are checked, and cached
   * ones are checked again. It stays there until {@link release}, however full the cache is. Throws {@link FetchError},
   * {@link NotWebAssembly} or {@link InvalidData}.
   */
  async fetch(image: string, signal: AbortSignal): Promise<Artifact> {
    const reference = parseReference(image);
    const { digest } = reference;
    if (digest === undefined) return this.#load(reference, signal);
    return this.#serial(digest, async () => (await this.#cached(digest)) ?? this.#load(reference, signal));
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

  async #load(reference: Reference, signal: AbortSignal): Promise<Artifact> {
    signal.throwIfAborted();
    this.#incoming += 1;
    const part = join(this.#folder, `${process.pid}-${this.#incoming}.part`);
    using limit = deadline(signal, mostFetchMs, 'the download');
    try {
      const incoming = await openReference(reference, limit);
      const expected = new Set([reference.digest, incoming.digest].filter((digest) => digest !== undefined));
      const digest = await save(incoming, part);
      for (const wanted of expected)
        if (wanted !== digest) throw new FetchError(`the component's SHA-256 is ${digest}, expected ${wanted}`);
      const info = inspectComponent(await readFile(part));
      const file = this.#place(digest);
      await rename(part, file);
      this.#hold(digest);
      await this.#prune();
      return { file, digest, info };
    } catch (error) {
      throw limit.aborted ? limit.reason : error;
    } finally {
      await rm(part, { force: true });
    }
  }

  #place(digest: string): string {
    return join(this.#folder, `${digest}.wasm`);
  }

  async #cached(digest: string): Promise<Artifact | undefined> {
    const file = this.#place(digest);
    this.#hold(digest);
    try {
      const bytes = await readFile(file);
      const now = new Date();
      if (createHash('sha256').update(bytes).digest('hex') === digest) {
        await utimes(file, now, now);
        return { file, digest, info: inspectComponent(bytes) };
      }
    } catch {
      // Not there, or not to be read: it is fetched.
    }
    this.release({ digest });
    return undefined;
  }

  async #prune(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.wasm'));
    const cached = await Promise.all(
      names.map(async (name): Promise<Cached> => {
        const { size, mtimeMs } = await stat(join(this.#folder, name));
        return { digest: name.slice(0, -'.wasm'.length), size, usedAt: mtimeMs };
      }),
    ).catch(() => []); // Another deployment is pruning.
    for (const digest of surplus(cached, this.#most, this.#users)) await rm(this.#place(digest), { force: true });
  }
}

/** The same bytes; a source that fails says that it was a download. */
const wholly = async function* (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* bytes;
  } catch (error) {
    throw new FetchError('the download broke off', { cause: error });
  }
};

/** Writes bytes to a new file and resolves with their SHA-256. */
const save = async (incoming: Incoming, file: string): Promise<string> => {
  if ((incoming.size ?? 0) > mostBytes) tooLarge();
  const hash = createHash('sha256');
  let size = 0;
  await using handle = await open(file, 'wx', 0o644);
  for await (const chunk of wholly(incoming.bytes)) {
    size += chunk.length;
    if (size > mostBytes) tooLarge();
    hash.update(chunk);
    await handle.writeFile(chunk);
  }
  if (incoming.size !== undefined && size !== incoming.size)
    throw new FetchError(`the download ended after ${size} of ${incoming.size} bytes`);
  await handle.datasync();
  const digest = hash.digest('hex');
  return digest;
};
