import { lstat, readdir, rm, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Budget, type Cached, clockShift, selectEvictions } from './eviction.ts';

/** The files of a folder whose names fit `pattern`, with when they were used last (their time of modification). */
const filesIn = async (folder: string, pattern: RegExp): Promise<readonly Cached[]> => {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names
      .filter((name) => pattern.test(name))
      .map(async (name): Promise<Cached | undefined> => {
        const stat = await lstat(join(folder, name)).catch(() => undefined); // removed meanwhile
        return stat === undefined ? undefined : { name, size: stat.size, usedAt: stat.mtimeMs };
      }),
  );
  return found.filter((file) => file !== undefined);
};

/** Knows how the clock was set since a cache was tidied up last, also by an engine before this one. */
export class CacheClock {
  /** What the clock said when the monotonic one, which goes on whatever is set, was at 0. */
  #origin: number | undefined;

  /** By how much the clock was set since the last look, in ms. */
  async shift(folder: string, budget: Budget): Promise<number> {
    const [now, monotonic] = [Date.now(), performance.now()];
    // an earlier engine changed the folder last, and whatever else it did was before that
    const seen =
      this.#origin === undefined ? (await lstat(folder).catch(() => undefined))?.mtimeMs : this.#origin + monotonic;
    this.#origin = now - monotonic;
    return clockShift(seen, now, budget);
  }
}

/** Dates files anew where the clock was set, so that their ages stay what they were. */
const dateAnew = async (folder: string, files: readonly Cached[], shift: number): Promise<readonly Cached[]> => {
  if (shift === 0) return files;
  const now = Date.now();
  const dated = files.map((file) => ({ ...file, usedAt: Math.max(0, Math.min(now, file.usedAt + shift)) }));
  for (const { name, usedAt } of dated)
    await utimes(join(folder, name), usedAt / 1000, usedAt / 1000).catch(() => undefined); // removed meanwhile
  return dated;
};

/** Removes what is beyond the budget among the files whose names fit `pattern`, save what is `held`. */
export const pruneFolder = async (
  folder: string,
  pattern: RegExp,
  budget: Budget,
  held: (name: string) => boolean,
  clock: CacheClock,
): Promise<void> => {
  const shift = await clock.shift(folder, budget);
  const files = await dateAnew(folder, await filesIn(folder, pattern), shift);
  for (const name of selectEvictions(files, budget, Date.now(), held)) await rm(join(folder, name), { force: true });
};

/** Removes what writers that were killed have left in a folder. */
export const removeParts = async (folder: string): Promise<void> => {
  const parts = (await readdir(folder)).filter((name) => name.endsWith('.part'));
  await Promise.all(parts.map((name) => rm(join(folder, name), { recursive: true, force: true })));
};

/** The bytes that can still be written to the file system of a folder. */
export const freeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};
