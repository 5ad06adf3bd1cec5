// Plain JavaScript without dependencies: the bootstrap uses it on any Node from 18, before anything is installed.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';

/**
 * Locks an open file by flock(2) and says whether that was possible; without `wait` it is not while somebody else has
 * the lock. Node has no flock: the program `flock` locks the open file description that it shares with this process,
 * and ends. The kernel gives the lock back when the last descriptor of it is closed, however its process ends, and
 * whatever number that process has in whichever namespace.
 * @param {number} fd
 * @param {{ mode?: 'exclusive' | 'shared', wait?: boolean, signal?: AbortSignal | undefined }} [options]
 * @returns {Promise<boolean>}
 */
const flock = (fd, { mode = 'exclusive', wait = false, signal } = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn('flock', [mode === 'exclusive' ? '-x' : '-s', ...(wait ? [] : ['-n']), '3'], {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      ...(signal ? { signal } : {}),
    });
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += String(chunk);
    });
    child.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code !== 'ENOENT') reject(error);
      else reject(new Error('the program flock is missing: install util-linux', { cause: error }));
    });
    child.once('close', (code) => {
      if (code === 0) resolve(true);
      else if (code === 1 && said === '') resolve(false);
      else reject(new Error(`the file system cannot lock files: flock ended with ${code}: ${said.trim()}`));
    });
  });

/**
 * True when `file` is still the name of the open file.
 * @param {number} fd
 * @param {string} file
 */
const isNamed = (fd, file) => {
  const [open, named] = [fs.fstatSync(fd), fs.statSync(file, { throwIfNoEntry: false })];
  return named !== undefined && named.ino === open.ino && named.dev === open.dev;
};

/** @param {string} file */
const holderOf = (file) => {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
};

/**
 * Takes `file` as a lock. `fd` is the open file: a child that inherits it holds the lock as well, until it ends.
 * `release` gives it back and removes the file. Waits while another process holds it, in whatever container; calls
 * `onWait` once with that one's process id and host name, as `17 on host`.
 * @param {string} file
 * @param {{ signal?: AbortSignal | undefined, onWait?: ((holder: string) => void) | undefined }} [options]
 * @returns {Promise<{ readonly fd: number, readonly release: () => void }>}
 */
export const openLock = async (file, { signal, onWait } = {}) => {
  for (let told = false; ; ) {
    const fd = fs.openSync(file, 'a');
    try {
      let taken = await flock(fd);
      if (!taken) {
        if (!told) onWait?.(holderOf(file));
        told = true;
        taken = await flock(fd, { wait: true, signal });
      }
      if (taken && isNamed(fd, file)) {
        fs.ftruncateSync(fd);
        fs.writeSync(fd, `${process.pid} on ${os.hostname()}\n`);
        const release = () => {
          fs.rmSync(file, { force: true });
          fs.closeSync(fd);
        };
        return { fd, release };
      }
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    // whoever had it has removed the file
    fs.closeSync(fd);
  }
};

/**
 * Takes `file` as a lock and returns the function that gives it back; the same as {@link openLock} otherwise.
 * @param {string} file
 * @param {Parameters<typeof openLock>[1]} [options]
 * @returns {Promise<() => void>}
 */
export const acquireLock = async (file, options) => (await openLock(file, options)).release;

/**
 * True while a living process has `file` as a lock.
 * @param {string} file
 * @returns {Promise<boolean>}
 */
export const isLocked = async (file) => {
  let fd;
  try {
    fd = fs.openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  try {
    return !(await flock(fd, { mode: 'shared' }));
  } finally {
    fs.closeSync(fd);
  }
};

/**
 * Removes a lock that nobody has, and returns false where somebody has it. Meanwhile it is locked by this process: who
 * wants it just now finds it removed, and makes it again.
 * @param {string} file
 * @returns {Promise<boolean>}
 */
export const removeUnlocked = async (file) => {
  let fd;
  try {
    fd = fs.openSync(file, 'r+');
  } catch {
    return false;
  }
  try {
    const isFree = await flock(fd);
    if (isFree && isNamed(fd, file)) fs.rmSync(file, { force: true });
    return isFree;
  } finally {
    fs.closeSync(fd);
  }
};
