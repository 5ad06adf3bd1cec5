import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RunFolder } from '../../../system/runs.ts';

const program = fileURLToPath(new URL('./program.ts', import.meta.url));

/**
 * Starts a process that outlives this one if it is killed, and then gives back what the run has at its coordinator: others
 * wait for the place. Disposing of it ends it without that.
 */
export const startWatchdog = ({ id, env }: RunFolder): AsyncDisposable => {
  const child = spawn(process.execPath, [program, id], {
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const closed = once(child, 'close').catch(() => {
    // it could not be started: what a killed run had is given back by the next lab
  });
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
};
