import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { labFault } from '../../../system/errors.ts';
import { collect } from '../../../system/process.ts';
import type { RunFolder } from '../../../system/runs.ts';
import { until } from '../../../system/wait.ts';
import type { HardwareDefinition } from '../definition.ts';
import { masterArguments, noConnection } from './ssh.ts';

/** Where a run's connection is found by all that share it. */
export const controlPath = ({ folder }: RunFolder): string => path.join(folder, 'ssh.sock');

/** This process's environment with the run's mark: ssh needs its agent and home. */
export const sshEnvironment = ({ env }: RunFolder): Readonly<Record<string, string>> => {
  const own = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return { ...Object.fromEntries(own), ...env };
};

/** A living ssh process that holds a connection. */
export type Master = {
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly end: () => Promise<void>;
};

/** Connects to a board. Throws NoConnection when that is not possible. */
export const startMaster = async (
  name: string,
  definition: HardwareDefinition,
  run: RunFolder,
  signal: AbortSignal,
): Promise<Master> => {
  const control = controlPath(run);
  fs.rmSync(control, { force: true });
  const child = spawn('ssh', masterArguments(name, definition, control), {
    env: sshEnvironment(run),
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = collect(child.stderr);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let over: Error | undefined;
  child.once('error', (error) => {
    over = labFault('ssh cannot be started', ['install the OpenSSH client'], error);
    resolve();
  });
  child.once('close', () => {
    over ??= noConnection(name, definition, said().toString());
    resolve();
  });
  const end = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  try {
    await until(() => {
      if (over) throw over;
      return fs.existsSync(control) || undefined;
    }, signal);
  } catch (error) {
    await end();
    throw error;
  }
  return { ended, end };
};
