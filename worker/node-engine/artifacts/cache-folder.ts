import { lstat, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Budget, type Cached, selectEvictions } from './eviction.ts';

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

/** Removes what is beyond the budget among the files whose names fit `pattern`, save what is `held`. */
export const pruneFolder = async (
  folder: string,
  pattern: RegExp,
  budget: Budget,
  held: (name: string) => boolean,
): Promise<void> => {
  for (const name of selectEvictions(await filesIn(folder, pattern), budget, Date.now(), held))
    await rm(join(folder, name), { force: true });
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
