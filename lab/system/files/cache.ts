import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { acquireLock } from './file-lock.mjs';
import { cacheHome } from './user-folders.ts';

/** The lab's cache folder: `$XDG_CACHE_HOME/oakestra-wasm-lab`. Everything in it can be made again. */
export const cacheRoot = (): string => path.join(cacheHome(), 'oakestra-wasm-lab');

/** A place in the cache. */
export const cachePath = (...parts: readonly string[]): string => path.join(cacheRoot(), ...parts);

const exists = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false,
  );

/**
 * `file`, made by `make` when it is not there yet. `make` works on a temporary name beside it that is renamed when
 * it is whole, so nobody ever sees half of it; of two processes that want the same, one makes it and the other waits.
 * What a failed `make` left stays for the next one to go on with or to remove.
 */
export const cached = async (
  file: string,
  make: (temporary: string) => Promise<void>,
  options: { readonly signal?: AbortSignal | undefined; readonly onWait?: (holder: string) => void } = {},
): Promise<string> => {
  if (await exists(file)) return file;
  await fs.mkdir(path.dirname(file), { recursive: true });
  const release = await acquireLock(`${file}.lock`, options);
  try {
    if (await exists(file)) return file;
    const temporary = `${file}.partial`;
    await make(temporary);
    await fs.rename(temporary, file);
    return file;
  } finally {
    release();
  }
};

/** An empty folder, whatever was there before. */
export const emptyFolder = async (folder: string): Promise<string> => {
  await fs.rm(folder, { recursive: true, force: true });
  await fs.mkdir(folder, { recursive: true });
  return folder;
};

/** Writes a file under a temporary name, which nobody else has in whatever container, and renames it. */
export const writeAtomically = async (file: string, content: string | Uint8Array, mode = 0o644): Promise<void> => {
  const temporary = `${file}.${randomUUID()}.partial`;
  await fs.writeFile(temporary, content, { mode });
  await fs.rename(temporary, file);
};
