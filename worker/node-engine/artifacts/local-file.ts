import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import type { Incoming } from './download.ts';
import { FetchError } from './fetch-error.ts';

/** Opens nothing but the place itself: no driver is called and no FIFO waited for (open(2)). Node has no name for it. */
const pathOnly = 0o10_000_000;

const place = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`;

const refuse = (path: string, why: string, cause?: unknown): never => {
  throw new FetchError(`${path} ${why}`, cause === undefined ? undefined : { cause });
};

/** The names below `folder` that lead to `path`; undefined when it is not below. */
const namesBelow = (folder: string, path: string): readonly string[] | undefined => {
  const names = relative(folder, path).split(sep);
  return names[0] === '..' || names[0] === '' ? undefined : names;
};

/**
 * Opens a file below `folder` name by name, each in the folder that was opened before it, so that nothing that is put
 * in the way meanwhile leads elsewhere. `folder` itself may be a link: conf.json says it.
 */
const openBelow = async (folder: string, names: readonly string[], path: string): Promise<FileHandle> => {
  let at = await open(await realpath(folder), constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    for (const name of names) {
      const next = await open(`${place(at)}/${name}`, pathOnly | constants.O_NOFOLLOW);
      await at.close();
      at = next;
      if ((await at.stat()).isSymbolicLink()) refuse(path, 'leads through a link, which is not followed');
    }
    const stat = await at.stat();
    if (!stat.isFile()) refuse(path, 'is not a regular file');
    if (stat.nlink > 1) refuse(path, 'has more than one name (hard links): it may be a file from elsewhere');
    return await open(place(at), constants.O_RDONLY | constants.O_NONBLOCK);
  } finally {
    await at.close();
  }
};

/** Opens a file of one of the node's `folders` for components. Throws {@link FetchError}. */
export const openLocalFile = async (
  path: string,
  folders: readonly string[],
  signal: AbortSignal,
): Promise<Incoming> => {
  if (folders.length === 0)
    return refuse(path, 'is not read: file references are off on this node; name their folders in component_folders');
  const found = folders
    .map((folder) => ({ folder, names: namesBelow(folder, path) }))
    .find(({ names }) => names !== undefined);
  if (found?.names === undefined)
    return refuse(path, 'is not read: it lies in none of the folders that conf.json names in component_folders');
  const file = await openBelow(found.folder, found.names, path).catch((error: unknown) => {
    throw error instanceof FetchError ? error : new FetchError(`${path} cannot be read`, { cause: error });
  });
  const { size } = await file.stat();
  return { bytes: file.createReadStream({ signal, highWaterMark: 1 << 20 }), size };
};
