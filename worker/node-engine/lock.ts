import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { retry } from './wait.ts';

/** Another engine works with the same state. */
class StateInUse extends Error {
  override readonly name = 'StateInUse';
}

/** The state folder cannot be locked. */
class LockError extends Error {
  override readonly name = 'LockError';
}

/** flock(1) ends with this status when somebody else has the lock. */
const conflict = 1;

/** How long an engine that was killed may take to be gone, in ms. */
const lastMs = 2000;

/** Locks an open file description by flock(1), whose lock stays after it (flock(2)); false when another has it. */
const tryLock = async (descriptor: number): Promise<boolean> => {
  const child = spawn('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0 && code !== conflict) throw new LockError(`flock ended with ${code}`);
  return code === 0;
};

/** Makes the folder, for the engine's user alone: whoever can open it could lock it. */
const makePrivate = async (folder: string): Promise<void> => {
  // Made along with it, the folder around it would be as closed, and instances read what else lies there.
  await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EROFS') throw error;
  });
};

/**
 * Makes a state folder this process's own until it ends, however it ends: the lock is on the folder itself, which only
 * this user can open, and works on a full or read-only disk, too. Throws {@link StateInUse} when another engine has it.
 */
export const lockState = async (folder: string): Promise<AsyncDisposable> => {
  await makePrivate(folder);
  const handle = await open(folder, 'r');
  const attempt = async () => {
    if (!(await tryLock(handle.fd)))
      throw new StateInUse(`another NodeEngine works in ${folder}; stop it, or give this one its own --state`);
  };
  let last: unknown;
  const giveUpUnlessInUse = (error: unknown) => {
    last = error;
    if (!(error instanceof StateInUse)) throw error;
  };
  try {
    await retry(attempt, { first: 50, growth: 2, most: 400 }, AbortSignal.timeout(lastMs), giveUpUnlessInUse);
  } catch (error) {
    await handle.close();
    throw last instanceof StateInUse ? last : new LockError(`${folder} cannot be locked`, { cause: error });
  }
  return { [Symbol.asyncDispose]: () => handle.close() };
};
