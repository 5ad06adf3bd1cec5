import { once } from 'node:events';
import { chmod, mkdir, open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { replaceFile } from '../atomic-file.ts';
import { spawn } from '../spawn.ts';

/** Another daemon works with the same state. */
class StateInUse extends Error {
  override readonly name = 'StateInUse';
}

/** The state folder cannot be locked. */
class LockError extends Error {
  override readonly name = 'LockError';
}

/** flock(1) ends with this status when somebody else has the lock. */
const conflict = 1;

/** How long a daemon that was killed may take to be gone, and the pauses between attempts, in ms. */
const last = { ms: 2000, pauseMs: 200 } as const;

/** Locks an open file description by flock(1), whose lock stays after it (flock(2)); false when another has it. */
const tryLock = async (descriptor: number): Promise<boolean> => {
  const child = spawn('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0 && code !== conflict) throw new LockError(`flock ended with ${code}`);
  return code === 0;
};

const lockInTime = async (descriptor: number): Promise<boolean> => {
  const end = performance.now() + last.ms;
  while (!(await tryLock(descriptor))) {
    if (performance.now() > end) return false;
    await sleep(last.pauseMs);
  }
  return true;
};

/** Makes the folder, for the daemon's user alone: whoever can open it could lock it. */
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
 * this user can open, and works on a full or read-only disk and across containers that share the folder, too. `daemon`
 * is this one's name. Throws {@link StateInUse}, which names the holder, when another one has the folder.
 */
export const lockState = async (folder: string, daemon: string): Promise<AsyncDisposable> => {
  await makePrivate(folder);
  const handle = await open(folder, 'r');
  const holder = join(folder, 'holder');
  try {
    if (!(await lockInTime(handle.fd))) {
      const who = (await readFile(holder, 'utf8').catch(() => '')).trim();
      throw new StateInUse(
        `another ${daemon} works in ${folder}; stop it${who && ` (${who})`}, or give this one its own --state`,
      );
    }
  } catch (error) {
    await handle.close();
    throw error instanceof StateInUse ? error : new LockError(`${folder} cannot be locked`, { cause: error });
  }
  // What it is for is a message alone; a full disk keeps nobody from working.
  await replaceFile(holder, `PID ${process.pid} on ${hostname()}\n`, { mode: 0o600 }).catch(() =>
    rm(holder, { force: true }).catch(() => undefined),
  );
  return { [Symbol.asyncDispose]: () => handle.close() };
};
