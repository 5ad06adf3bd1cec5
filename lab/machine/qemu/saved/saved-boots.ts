import fs from 'node:fs/promises';
import path from 'node:path';
import { cachePath } from '../../../system/files/cache.ts';
import { fileDigest } from '../../../system/files/digest.ts';
import { acquireLock, isLocked } from '../../../system/files/file-lock.mjs';

/** How many saved boots the cache holds; the one that was not used for the longest time goes first. */
const most = 4;

const folder = (): string => cachePath('saved-boots');
const place = (name: string): string => path.join(folder(), name);

/** `KEY-DIGEST.state`: what it was made of, and what is in it. */
const namePattern = /^(?<key>[0-9a-f]{64})-(?<digest>[0-9a-f]{64})\.state$/;

/** The digest of an open file, whatever its name has become. */
const digestOf = ({ fd }: fs.FileHandle): Promise<string> => fileDigest(`/proc/self/fd/${fd}`);

const names = async (): Promise<readonly string[]> => fs.readdir(folder()).catch(() => []);

const nameOf = async (key: string): Promise<string | undefined> =>
  (await names()).find((name) => namePattern.exec(name)?.groups?.['key'] === key);

/** A saved boot that is open: it stays readable whoever removes it from the cache meanwhile. */
export type SavedBoot = AsyncDisposable & {
  readonly fd: number;
  /** False when its bytes are not those that were saved, or cannot be read. Does not reject. */
  readonly isWhole: () => Promise<boolean>;
};

/** The boot that was saved for `key`; undefined where there is none. It counts as used now. */
export const openSavedBoot = async (key: string): Promise<SavedBoot | undefined> => {
  const name = await nameOf(key);
  const file = name === undefined ? undefined : await fs.open(place(name)).catch(() => undefined);
  if (name === undefined || file === undefined) return undefined;
  const now = new Date();
  // in a cache that is read-only nothing is removed either
  await file.utimes(now, now).catch(() => {});
  return {
    fd: file.fd,
    isWhole: async () => namePattern.exec(name)?.groups?.['digest'] === (await digestOf(file).catch(() => '')),
    [Symbol.asyncDispose]: () => file.close(),
  };
};

/** Removes the boot that was saved for `key`. */
export const removeSavedBoot = async (key: string): Promise<void> => {
  const name = await nameOf(key);
  if (name !== undefined) await fs.rm(place(name), { force: true });
};

/** Removes what is more than the cache may hold, and what killed labs had begun. */
const prune = async (): Promise<void> => {
  const files = (await names()).filter((name) => namePattern.test(name));
  const used = await Promise.all(
    files.map(async (name) => ({ name, at: (await fs.stat(place(name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  for (const { name } of used.toSorted((a, b) => b.at - a.at).slice(most)) await fs.rm(place(name), { force: true });
  for (const name of (await names()).filter((one) => one.endsWith('.partial')))
    if (!(await isLocked(place(name.replace(/partial$/, 'lock'))))) await fs.rm(place(name), { force: true });
};

/**
 * Saves a boot for `key` unless another lab has done so: `save` writes it to the file that it is given. Nobody sees half
 * of it, and of several labs that want to one does it.
 */
export const keepSavedBoot = async (
  key: string,
  save: (file: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  await fs.mkdir(folder(), { recursive: true });
  const release = await acquireLock(place(`${key}.lock`), { signal });
  const partial = place(`${key}.partial`);
  try {
    if ((await nameOf(key)) !== undefined) return;
    await fs.rm(partial, { force: true });
    await save(partial);
    await using file = await fs.open(partial);
    await fs.rename(partial, place(`${key}-${await digestOf(file)}.state`));
  } finally {
    await fs.rm(partial, { force: true });
    release();
  }
  await prune();
};
