import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { RunPlan } from './command.ts';
import { isRunning, type ProcessId, procStat, signalProcess } from './proc.ts';
import { weaken } from './users.ts';
import { deadline, retry } from './wait.ts';
import type { Program, Wasmtime } from './wasmtime.ts';

/** How a process ended; `code` and `signal` are both null when nobody could see it end. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A wasmtime process, started by this engine or by the one before it. */
export type Running = { readonly id: ProcessId; readonly exited: Promise<Exit> };

/** The process could not be started, or ended before it was of use. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
}

/** Marks a process as an instance, so that a later engine finds it: its value is the instance's journal file. */
export const markVariable = 'OAKESTRA_INSTANCE';

/** Append to the log, never through a link that somebody else has laid in a folder like /tmp. */
const appendOnly = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

/** The words that start a program inside the namespace; every one replaces itself by the next, so the pid stays. */
export const launchWords = (
  namespace: string,
  wasmtime: Wasmtime,
  user: number | undefined,
  plan: RunPlan,
  program: Program,
): string[] => [
  'nsenter',
  `--net=${namespace}`,
  '--',
  ...weaken(user),
  wasmtime.path,
  ...plan.before,
  ...(program.precompiled ? ['--allow-precompiled'] : []),
  program.file,
  ...plan.after,
];

/**
 * Starts a program with its output appended to `log`, in a session of its own, so that it outlives the engine. Throws
 * {@link LaunchError}.
 */
export const launch = async (
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  log: string,
): Promise<Running> => {
  const [command = '', ...args] = words;
  await using output = await open(log, appendOnly, 0o640);
  const child = spawn(command, args, {
    cwd: '/',
    detached: true,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin', ...environment },
    stdio: ['ignore', output.fd, output.fd],
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new LaunchError(`${command} cannot be started`, { cause: error })));
  });
  const { pid = 0 } = child;
  const stat = await procStat(pid);
  return { id: { pid, start: stat?.start ?? 0 }, exited };
};

/** Watches a process that another engine started: its end is seen, but not how it ended. */
export const adopt = (id: ProcessId, signal: AbortSignal): Running => {
  const gone = async () => {
    if (await isRunning(id)) throw new LaunchError('still running');
  };
  const watch = retry(gone, { first: 250, growth: 1, most: 250 }, signal, () => undefined);
  const exited = watch.then(() => ({ code: null, signal: null }));
  exited.catch(() => undefined);
  return { id, exited };
};

const politeMs = 5000;
const killMs = 10_000;

/**
 * Ends a process: asks with SIGINT, which wasmtime serve answers gracefully, and kills after 5 s. Throws
 * {@link LaunchError} when it is still there 10 s later.
 */
export const stop = async (running: Running): Promise<void> => {
  if (!(await signalProcess(running.id, 'SIGINT'))) return;
  using bound = deadline(new AbortController().signal, politeMs + killMs, 'ending the process');
  const stuck = new Promise<never>((_, reject) => {
    bound.addEventListener('abort', () => reject(new LaunchError(`process ${running.id.pid} cannot be ended`)));
  });
  const kill = setTimeout(() => void signalProcess(running.id, 'SIGKILL'), politeMs);
  try {
    await Promise.race([running.exited, stuck]);
  } finally {
    clearTimeout(kill);
  }
};
