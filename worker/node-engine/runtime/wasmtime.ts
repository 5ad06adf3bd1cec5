import { lstat, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nativeName } from '../../contract/native.ts';
import type { Log } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import type { Artifact } from '../artifacts/artifacts.ts';
import { hasUsers, instanceUsers, nobody, weaken } from '../process/users.ts';

/** The runtime on this node. */
export type Wasmtime = {
  readonly path: string;
  /** As `wasmtime --version` prints it, "48.0.2". */
  readonly version: string;
  /** The user that it runs as for no instance in particular; undefined for the engine's own. */
  readonly user: number | undefined;
  /** Set when every instance runs as a user of its own. */
  readonly separate: boolean;
};

/** wasmtime cannot be run on this node. */
class NoWasmtime extends Error {
  override readonly name = 'NoWasmtime';
}

const versionAs = async (user: number | undefined, path: string): Promise<string> => {
  const stdout = await run([...weaken(user), path, '--version'], { timeoutMs: 60_000 });
  const version = /^wasmtime(?:-cli)? (\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  if (version === undefined) throw new NoWasmtime(`'${path} --version' said '${stdout.trim().slice(0, 200)}'`);
  return version;
};

/**
 * Finds out the runtime's version, running it just as an instance will be. Where the other user cannot run it, the
 * engine's own user is taken, without capabilities still. Throws {@link NoWasmtime}.
 */
export const findWasmtime = async (path: string, log: Log): Promise<Wasmtime> => {
  const map = await readFile('/proc/self/uid_map', 'utf8');
  if (hasUsers(map, nobody, 1)) {
    try {
      const version = await versionAs(nobody, path);
      return { path, version, user: nobody, separate: hasUsers(map, instanceUsers.first, instanceUsers.count) };
    } catch {
      log.warn(`${path} can't be run by another user: instances run as the engine's; put it where all can read it`);
    }
  }
  try {
    return { path, version: await versionAs(undefined, path), user: undefined, separate: false };
  } catch (error) {
    throw new NoWasmtime(`'${path}' cannot be run; install wasmtime or name it with --wasmtime`, { cause: error });
  }
};

/** What wasmtime is given to run: a component, or native code that was made from it on this node or put here by root. */
export type Program = { readonly file: string; readonly precompiled: boolean };

const writableByOthers = 0o022;

const rootOnly = async (path: string): Promise<boolean> => {
  const stat = await lstat(path).catch(() => undefined);
  return stat !== undefined && !stat.isSymbolicLink() && stat.uid === 0 && (stat.mode & writableByOthers) === 0;
};

/** Where the precompiled form of a component lies, if there is one for this runtime and processor. */
export const precompiledFile = (folder: string, digest: string, version: string): string =>
  join(folder, nativeName(digest, version, process.arch === 'arm64' ? 'aarch64' : 'x86_64'));

/**
 * The precompiled form of an artifact, or undefined. It is native code, so it counts only when file and folder belong
 * to root and nobody else may write them.
 */
export const findPrecompiled = async (
  folder: string,
  artifact: Artifact,
  version: string,
  log: Log,
): Promise<Program | undefined> => {
  const file = precompiledFile(folder, artifact.digest, version);
  if ((await lstat(file).catch(() => undefined)) === undefined) return undefined;
  if ((await rootOnly(dirname(file))) && (await rootOnly(file))) return { file, precompiled: true };
  log.warn(`${file} is not used: it and its folder must belong to root and be writable by nobody else`);
  return undefined;
};
