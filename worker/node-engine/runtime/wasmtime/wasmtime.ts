import { readFile } from 'node:fs/promises';
import type { Log } from '../../../system/log.ts';
import { run } from '../../../system/run.ts';
import { compilerUsers, dropPrivileges, hasUsers, instanceUsers, nobody } from '../../../system/users.ts';

/** The runtime on this node. */
export type Wasmtime = {
  readonly path: string;
  /** As `wasmtime --version` prints it, "48.0.2". */
  readonly version: string;
  /** The user that it runs as for no instance in particular; undefined for the engine's own. */
  readonly user: number | undefined;
  /** Set when every instance, and every compiler, runs as a user of its own. */
  readonly separate: boolean;
};

/** wasmtime cannot be run on this node. */
class NoWasmtime extends Error {
  override readonly name = 'NoWasmtime';
}

const versionAs = async (user: number | undefined, path: string): Promise<string> => {
  const stdout = await run([...dropPrivileges(user), path, '--version'], { timeoutMs: 60_000 });
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
      const users = instanceUsers.count + compilerUsers.count;
      return { path, version, user: nobody, separate: hasUsers(map, instanceUsers.first, users) };
    } catch {
      log.warn(
        `${path} cannot be run by another user: instances run as NodeEngine's own user; make it readable and executable for all`,
      );
    }
  }
  try {
    return { path, version: await versionAs(undefined, path), user: undefined, separate: false };
  } catch (error) {
    throw new NoWasmtime(`'${path}' cannot be run; install wasmtime or name it with --wasmtime`, { cause: error });
  }
};
