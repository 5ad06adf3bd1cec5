import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

type How = {
  /** The file's permissions; 0644 when left out. */
  readonly mode?: number;
  /** Set for what must survive a loss of power, too, once this has resolved. */
  readonly durable?: boolean;
};

const syncFolder = async (folder: string): Promise<void> => {
  await using handle = await open(folder, 'r');
  await handle.sync();
};

/**
 * Replaces the file at `path` (and makes its folder): a process that is killed leaves the old text or the new one. A
 * failure leaves the old text and nothing beside it.
 */
export const replaceFile = async (
  path: string,
  text: string | Uint8Array,
  { mode = 0o644, durable = false }: How = {},
): Promise<void> => {
  const fresh = `${path}.new`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await using handle = await open(fresh, 'w', mode);
    await handle.writeFile(text);
    if (durable) await handle.datasync();
    await handle.close();
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw error;
  }
  if (durable) await syncFolder(dirname(path));
};

/** Removes the file at `path`, and what a {@link replaceFile} that was broken off has left of it. */
export const removeFile = async (path: string): Promise<void> => {
  await rm(path, { force: true });
  await rm(`${path}.new`, { force: true });
};
