import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { explain } from '../../system/explain.ts';
import type { Log } from '../../system/log.ts';
import { hasUsers, nobody } from '../../system/users.ts';

/** Where the output of instances is kept: in `folder`, and under the same names in `shown` when that is another one. */
export type LogFolder = { readonly folder: string; readonly shown: string };

const writableByOthers = 0o022;
const sticky = 0o1000;

/** Users who may own what the engine relies on. Inside a user namespace files of the real root belong to "nobody". */
const trustedUsers = async (): Promise<ReadonlySet<number>> => {
  const map = await readFile('/proc/self/uid_map', 'utf8');
  return new Set([0, process.getuid?.() ?? 0, ...(hasUsers(map, nobody, 1) ? [] : [nobody])]);
};

type Kind = 'private' | 'shared' | 'foreign';

/** Who can put something into a folder: only the engine's user, everyone beside it (as in /tmp), or somebody else. */
const kindOf = async (folder: string, trusted: ReadonlySet<number>): Promise<Kind> => {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(folder, flags).catch(() => undefined);
  if (handle === undefined) return 'foreign';
  await using opened = handle;
  const { uid, mode } = await opened.stat();
  if (!trusted.has(uid)) return 'foreign';
  if ((mode & writableByOthers) === 0) return 'private';
  return (mode & sticky) !== 0 ? 'shared' : 'foreign';
};

/** The most links on the way to a folder. */
const maxLinks = 10;

/**
 * The path of a folder without links, made where it is missing; undefined when another user could exchange it, or a
 * folder or a link that leads to it.
 */
const walk = async (path: string, trusted: ReadonlySet<number>, links = maxLinks): Promise<string | undefined> => {
  const parts = resolve(path)
    .split('/')
    .filter((part) => part !== '');
  let folder = '/';
  for (const [index, part] of parts.entries()) {
    if ((await kindOf(folder, trusted)) === 'foreign') return undefined;
    const next = join(folder, part);
    await mkdir(next, { mode: index === parts.length - 1 ? 0o750 : 0o755 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const stat = await lstat(next);
    if (stat.isSymbolicLink()) {
      if (links === 0 || !trusted.has(stat.uid)) return undefined;
      const target = resolve(folder, await readlink(next), ...parts.slice(index + 1));
      return walk(target, trusted, links - 1);
    }
    folder = next;
  }
  return folder;
};

const openFolder = async (wanted: string): Promise<{ readonly path: string; readonly kind: Kind }> => {
  const trusted = await trustedUsers();
  const path = await walk(wanted, trusted);
  return path === undefined ? { path: wanted, kind: 'foreign' } : { path, kind: await kindOf(path, trusted) };
};

/**
 * Finds a place for the instances' output in which no other user can lay anything: `wanted` itself, or "oakestra" in
 * it where everyone may write to it, as in /tmp, or `spare` where neither is possible, which the log tells. Throws only
 * when `spare` cannot be made either.
 */
export const openLogFolder = async (wanted: string, spare: string, log: Log): Promise<LogFolder> => {
  const trouble = (why: string) =>
    log.warn(`app_logs '${wanted}' is not used: ${why}; the output of instances is in ${spare}`);
  try {
    const first = await openFolder(wanted);
    if (first.kind === 'private') return { folder: first.path, shown: first.path };
    if (first.kind === 'shared') {
      const inner = await openFolder(join(first.path, 'oakestra'));
      if (inner.kind === 'private') {
        log.info(`every user can write to ${wanted}: the output of instances is in ${inner.path}`);
        return { folder: inner.path, shown: first.path };
      }
      trouble(`${inner.path} belongs to another user, or is no folder`);
    } else
      trouble('it, or a folder that leads to it, belongs to another user or can be written by one, or is no folder');
  } catch (error) {
    trouble(explain(error));
  }
  await mkdir(spare, { recursive: true, mode: 0o750 });
  return { folder: spare, shown: spare };
};

/** Shows a log under the name that the contract gives it. A name that something else has is left alone. */
const show = async ({ folder, shown }: LogFolder, task: string, log: Log): Promise<void> => {
  if (folder === shown) return;
  const [name, target] = [join(shown, task), join(folder, task)];
  try {
    await symlink(target, name);
  } catch (error) {
    if ((await readlink(name).catch(() => undefined)) !== target)
      log.warn(`${name} does not show the log of ${task}, which is ${target}: ${explain(error)}`);
  }
};

/** Output cannot be kept where it belongs. */
class LogFolderError extends Error {
  override readonly name = 'LogFolderError';
}

const beginFile = async (file: string): Promise<void> => {
  const old = await lstat(file).catch(() => undefined);
  if (old !== undefined) {
    await rm(`${file}.1`, { recursive: true, force: true });
    await rename(file, `${file}.1`);
    if (!old.isFile()) await rm(`${file}.1`, { recursive: true, force: true });
  }
  await using handle = await open(file, 'wx', 0o640);
  await handle.close();
};

/**
 * Makes room for the output of a new instance; that of the one which had the name before is kept as `<file>.1`. A folder
 * that was removed, as what has been in /tmp for long is, is made again; one that is another user's by now is not used.
 */
export const newLog = async (logs: LogFolder, task: string, log: Log): Promise<void> => {
  if ((await kindOf(logs.folder, await trustedUsers())) !== 'private') {
    const again = await openFolder(logs.folder);
    if (again.path !== logs.folder || again.kind !== 'private')
      throw new LogFolderError(
        `the output of instances cannot be kept in ${logs.folder}: it belongs to another user, or is no folder any more; remove it`,
      );
    log.warn(`${logs.folder} was missing; it is made again`);
  }
  try {
    await beginFile(join(logs.folder, task));
  } catch (cause) {
    throw new LogFolderError(`the output of ${task} cannot be kept in ${logs.folder}`, { cause });
  }
  await show(logs, task, log);
};

const day = 24 * 60 * 60 * 1000;

/** Output of instances that are gone is kept for this long in ms, and not more of it than this in bytes. */
export const keptLogs = { ms: 7 * day, bytes: 100_000_000 } as const;

/** A clock that says an earlier time was not set when it was read: its board has none that goes on without power. */
const clockSet = Date.UTC(2024);

type OldLog = { readonly name: string; readonly bytes: number; readonly ms: number };

/** The files to remove of those that no instance writes to: the old ones, and of the others the oldest beyond the size. */
export const selectLogEvictions = (
  files: readonly OldLog[],
  now: number,
  kept: typeof keptLogs = keptLogs,
): readonly string[] => {
  let bytes = 0;
  const stay = (file: OldLog): boolean => {
    bytes += file.bytes;
    return (now - file.ms < kept.ms || (file.ms < clockSet && now >= clockSet)) && bytes <= kept.bytes;
  };
  return files.toSorted((one, other) => other.ms - one.ms).flatMap((file) => (stay(file) ? [] : [file.name]));
};

const logName = /^([a-zA-Z0-9]+(?:\.[a-zA-Z0-9]+){3}\.instance\.\d+)(?:\.1)?$/;

/** Removes what is too old or too much of the output of instances that are gone; `lives` knows the others. */
export const pruneLogs = async (
  { folder, shown }: LogFolder,
  lives: (task: string) => boolean,
  now = Date.now(),
): Promise<void> => {
  const names = (await readdir(folder)).filter((name) => {
    const task = logName.exec(name)?.[1];
    return task !== undefined && !lives(task);
  });
  const files = await Promise.all(
    names.map(async (name): Promise<OldLog> => {
      const { size, mtimeMs } = await lstat(join(folder, name));
      return { name, bytes: size, ms: mtimeMs };
    }),
  );
  for (const name of selectLogEvictions(files, now)) {
    await rm(join(folder, name), { force: true });
    const link = join(shown, name);
    if (folder !== shown && (await readlink(link).catch(() => undefined)) === join(folder, name)) await rm(link);
  }
};
