import { lstat, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../system/log.ts';
import { run } from '../system/run.ts';
import type { Artifact } from './artifacts.ts';

/** The runtime on this node. `prefix` is what stands before it to take every privilege from it. */
export type Wasmtime = {
  readonly path: string;
  /** As `wasmtime --version` prints it, "48.0.2". */
  readonly version: string;
  readonly prefix: Words;
  /** The user that it runs as; undefined for the engine's own. */
  readonly user: number | undefined;
};

type Words = readonly [string, ...string[]];

/** wasmtime cannot be run on this node. */
class NoWasmtime extends Error {
  override readonly name = 'NoWasmtime';
}

const nobody = 65_534;

/** True when user `uid` exists in a user namespace with this /proc/self/uid_map (user_namespaces(7)). */
export const hasUser = (map: string, uid: number): boolean =>
  map.split('\n').some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return uid >= first && uid < first + count;
  });

/** The command words that run what follows without capabilities, without new privileges, and as another user. */
const weaken = (otherUser: boolean): Words => [
  'setpriv',
  ...(otherUser ? [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : []),
  '--bounding-set=-all',
  '--inh-caps=-all',
  '--ambient-caps=-all',
  '--no-new-privs',
  '--',
];

const versionBy = async (prefix: Words, path: string): Promise<string> => {
  const stdout = await run([...prefix, path, '--version'], { timeoutMs: 60_000 });
  const version = /^wasmtime(?:-cli)? (\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  if (version === undefined) throw new NoWasmtime(`'${path} --version' said '${stdout.trim().slice(0, 200)}'`);
  return version;
};

/**
 * Finds out the runtime's version, running it just as an instance will be. Where the other user cannot run it, the
 * engine's own user is taken, without capabilities still. Throws {@link NoWasmtime}.
 */
export const findWasmtime = async (path: string, log: Log): Promise<Wasmtime> => {
  const otherUser = hasUser(await readFile('/proc/self/uid_map', 'utf8'), nobody);
  if (otherUser) {
    const prefix = weaken(true);
    try {
      return { path, prefix, user: nobody, version: await versionBy(prefix, path) };
    } catch {
      log.warn(
        `${path} cannot be run by user ${nobody}: instances run as the engine's user; put it where all can read it`,
      );
    }
  }
  const prefix = weaken(false);
  try {
    return { path, prefix, user: undefined, version: await versionBy(prefix, path) };
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
  join(folder, `${digest}-${version}-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.cwasm`);

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
