// Plain JavaScript without dependencies: the bootstrap uses it on any Node from 18, before anything is installed.
import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * `pid start-time`: a pid alone may have been given to another process meanwhile. Undefined when there is none.
 * @param {number | string} pid
 * @returns {string | undefined}
 */
export const identityOf = (pid) => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${pid} ${fields[19]}`;
  } catch {
    return undefined;
  }
};

/** @param {string} file */
const ownerOf = (file) => {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
};

/** @param {string} owner */
const isAlive = (owner) => identityOf(owner.split(' ')[0] ?? '') === owner;

/**
 * Moves a dead owner's lock aside; of several who try only one succeeds, and a living lock is put back.
 * @param {string} file
 * @param {string} owner
 */
const bury = (file, owner) => {
  const grave = `${file}.${process.pid}.stale`;
  try {
    fs.renameSync(file, grave);
    if (ownerOf(grave) !== owner) fs.linkSync(grave, file);
  } catch {
    // somebody else was faster
  }
  fs.rmSync(grave, { force: true });
};

/**
 * Takes `file` as a lock and returns the function that gives it back. Waits while a living process holds it; calls
 * `onWait` once with that process's id. A lock whose owner has died is taken over.
 * @param {string} file
 * @param {{ signal?: AbortSignal | undefined, onWait?: ((pid: number) => void) | undefined }} [options]
 * @returns {Promise<() => void>}
 */
export const acquireLock = async (file, { signal, onWait } = {}) => {
  const mine = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  fs.writeFileSync(mine, identityOf(process.pid) ?? String(process.pid));
  try {
    for (let told = false; ; ) {
      try {
        fs.linkSync(mine, file);
        return () => fs.rmSync(file, { force: true });
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      const owner = ownerOf(file);
      if (owner !== undefined && !isAlive(owner)) bury(file, owner);
      else if (owner !== undefined) {
        if (!told) onWait?.(Number(owner.split(' ')[0]));
        told = true;
        await pause(100, undefined, signal ? { signal } : {});
      }
    }
  } finally {
    fs.rmSync(mine, { force: true });
  }
};
