import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LabError } from '../../system/errors.ts';
import { cacheRoot } from '../../system/files/cache.ts';
import { openLock } from '../../system/files/file-lock.mjs';
import { runsPlace } from '../../system/runs.ts';
import { systemReason } from '../../system/system-errors.ts';
import { bad, type Check, good, type Outcome, remark } from './check.ts';

const gigabyte = 1e9;
/** What everything that the lab downloads and builds needs. */
const comfortable = 2 * gigabyte;
/** Without so much not even a run with a full cache ends well. */
const least = 0.1 * gigabyte;

/** What a run writes to its folder for temporary files; a machine's root may be there too. */
const leastTemporary = 0.05 * gigabyte;

/** As much as shows that there is room for something: a file system may take an empty file when it is full. */
const probe = Buffer.alloc(4096, '\n');

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

/** Makes a folder where it is missing. Node's own way of making parents hides why a file system refused. */
const makeFolder = async (folder: string): Promise<void> => {
  try {
    await fs.mkdir(folder);
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await fs.stat(folder)).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT' || path.dirname(folder) === folder) throw error;
    await makeFolder(path.dirname(folder));
    await makeFolder(folder);
  }
};

/** Makes a folder where it is missing, and writes and removes a file in it. Rejects where that is not possible. */
const tryToWrite = async (folder: string, tryMore: (file: string) => Promise<void> = async () => {}): Promise<void> => {
  await makeFolder(path.resolve(folder));
  // in containers that share the folder, several processes have the same number
  const file = path.join(folder, `.probe-${randomUUID()}`);
  try {
    await fs.writeFile(file, probe, { mode: 0o755 });
    await tryMore(file);
  } finally {
    await fs.rm(file, { force: true });
  }
};

const troubleOf = (folder: string, error: unknown, remedy: string): Outcome => {
  const known = systemReason(error);
  if (known === undefined) throw error;
  return bad(`${folder} cannot be written: ${known.reason}`, remedy);
};

const elsewhere = 'export XDG_CACHE_HOME=/a/folder/of/yours, which has to be absolute';

/** A note where XDG_CACHE_HOME says something that does not count. */
const ignored = (): string => {
  const named = process.env['XDG_CACHE_HOME'] ?? '';
  return named === '' || path.isAbsolute(named) ? '' : `; XDG_CACHE_HOME=${named} is ignored: it is not absolute`;
};

class NoExec extends Error {}

/** access(2) answers for a file as execve(2) would: a mount without exec refuses it whatever its mode. */
const canExecute = (file: string): Promise<void> =>
  fs.access(file, constants.X_OK).catch((error: unknown) => {
    throw codeOf(error) === 'EACCES' ? new NoExec() : error;
  });

/** The cache's own folder, which nothing works without. */
export const cacheFolder: Check = {
  name: 'cache folder',
  need: 'every run',
  look: async () => {
    let folder = '';
    try {
      folder = cacheRoot();
      await tryToWrite(folder, async (file) => {
        await canExecute(file);
        (await openLock(file)).release();
      });
      const { uid } = await fs.stat(folder);
      const detail = `${folder}${ignored()}`;
      if (uid === process.getuid?.()) return good(detail);
      return remark(`${detail} belongs to user ${uid}, who may change programs that are started from it`, elsewhere);
    } catch (error) {
      if (error instanceof NoExec)
        return bad(`no program can be started from ${folder}: it is mounted noexec`, elsewhere);
      if (error instanceof LabError) return bad(error.message, error.next.join('\n    '));
      return troubleOf(folder, error, elsewhere);
    }
  },
};

const space: Check = {
  name: 'room for the cache',
  need: 'every run',
  look: async () => {
    const found = await Promise.try(() => fs.statfs(cacheRoot())).catch(() => undefined);
    if (found === undefined) return undefined;
    const { bavail, bsize } = found;
    const free = bavail * bsize;
    const detail = `${(free / gigabyte).toFixed(1)} GB free at ${cacheRoot()}`;
    const remedy = 'make room (npm run lab -- clean --cache), or set XDG_CACHE_HOME to a folder with 2 GB';
    if (free >= comfortable) return good(detail);
    return { ok: false, fatal: free < least, detail, remedy };
  },
};

const temporaryFolder: Check = {
  name: 'temporary files',
  need: 'every run',
  look: async () => {
    const [folder, remedy] = [os.tmpdir(), 'export TMPDIR=/a/folder/of/yours, which has to be absolute'];
    if (!path.isAbsolute(folder)) return bad(`TMPDIR is '${folder}', which is not an absolute path`, remedy);
    for (const place of new Set([folder, runsPlace()]))
      try {
        await tryToWrite(place);
        const { bavail, bsize } = await fs.statfs(place);
        const free = bavail * bsize;
        if (free < leastTemporary) return bad(`only ${(free / 1e6).toFixed(1)} MB are free at ${place}`, remedy);
      } catch (error) {
        const shorter = place === folder ? remedy : `${remedy}, and is not as long as ${folder}`;
        return troubleOf(place, error, shorter);
      }
    return good(folder);
  },
};

const reportsFolder: Check = {
  name: 'reports folder',
  need: 'reports',
  look: async ({ reports }) => {
    try {
      await tryToWrite(reports);
      return good(path.resolve(reports));
    } catch (error) {
      return troubleOf(path.resolve(reports), error, '--reports /a/folder/of/yours');
    }
  },
};

/** The folders that a run writes to. */
export const folderChecks: readonly Check[] = [cacheFolder, space, temporaryFolder, reportsFolder];
