import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { spawn } from '../../system/spawn.ts';
import { dropPrivileges } from '../../system/users.ts';
import { deadline, retry } from '../../system/wait.ts';
import type { Program, RunPlan, Runtime } from '../runtime/runtime.ts';
import { openOutput, writerEnded } from './output.ts';
import type { OwnLimits } from './own-limits.ts';
import { isRunning, type ProcessId, procStat, signalProcess } from './proc.ts';
import { type Exit, exitOf, openRecord, recorded, recordedExit } from './record.ts';

/** A process of the runtime, started by this engine or by the one before it. */
export type Running = { readonly id: ProcessId; readonly exited: Promise<Exit> };

/** The process could not be started, or ended before it was of use. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
}

/** The process ended before it was of use. */
export class EarlyExit extends LaunchError {}

/** Marks a process as an instance, so that a later engine finds it: its value is the instance's journal file. */
export const markVariable = 'OAKESTRA_INSTANCE';

/** The argv that starts a program inside the namespace; every one replaces itself by the next, so the pid stays. */
export const launchArgv = (
  namespace: string,
  runtime: Pick<Runtime, 'argv'>,
  user: number | undefined,
  plan: RunPlan,
  program: Program,
  limits: OwnLimits,
): string[] => [
  'nsenter',
  `--net=${namespace}`,
  '--',
  ...limits.argv,
  ...dropPrivileges(user, limits.filter),
  ...runtime.argv(plan, program, limits.confined),
];

/** The kernel takes up to 128 KiB for one argument or variable, and some MB for all of them (execve(2)). */
const notStarted = (command: string, texts: readonly string[], error: NodeJS.ErrnoException): LaunchError => {
  if (error.code !== 'E2BIG') return new LaunchError(`${command} cannot be started`, { cause: error });
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const said = `the longest of cmd and environment has ${Math.max(...sizes)} bytes, all together ${all}`;
  return new LaunchError(`${said}; a program takes 131071 for one and about 2 MB for all: shorten them`);
};

type Started = { readonly child: ChildProcess; readonly exited: Promise<Exit> };

/** In a session of its own, so that it outlives the engine. */
const start = async (
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  descriptors: StdioOptions,
): Promise<Started> => {
  const [command = '', ...args] = argv;
  const failed = (error: unknown) =>
    notStarted(command, [...argv, ...Object.values(environment)], error as NodeJS.ErrnoException);
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
      cwd: '/',
      detached: true,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin', ...environment },
      stdio: descriptors,
    });
  } catch (error) {
    throw failed(error); // some errors are thrown, others are events
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(failed(error)));
  });
  return { child, exited };
};

const identify = async (pid: number): Promise<ProcessId> => ({ pid, start: (await procStat(pid))?.start ?? 0 });

/** Resolves when nothing is left of a process; rejects when `signal` aborts. */
const end = (id: ProcessId, signal: AbortSignal): Promise<void> => {
  const gone = async () => {
    if (await isRunning(id)) throw new LaunchError('still running');
  };
  return retry(gone, { first: 250, growth: 1, most: 250 }, signal, () => undefined);
};

/** How a process ended, known when all that it has written is in its log. */
const settled = async (exited: Promise<Exit>, written: () => Promise<void>): Promise<Exit> => {
  const exit = await exited;
  await written();
  return exit;
};

/** Starts a program with its output appended to `log`; it outlives the engine. Throws {@link LaunchError}. */
export const launch = async (
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  log: string,
): Promise<Running> => {
  await using output = await openOutput(log, environment[markVariable] ?? '');
  const { child, exited } = await start(argv, environment, ['ignore', output.input, output.input]);
  return { id: await identify(child.pid ?? 0), exited: settled(exited, output.written) };
};

/** The same for a program whose end is to be known to a later engine, too: how it ends is written to `record`. */
export const launchRecorded = async (
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  log: string,
  record: string,
): Promise<Running> => {
  await using output = await openOutput(log, environment[markVariable] ?? '');
  await using status = await openRecord(record);
  const descriptors: StdioOptions = ['ignore', output.input, output.input, status.fd, 'pipe'];
  // the recorder is not the instance, and its argv is for everyone to read
  const { [markVariable]: mark = '', ...others } = environment;
  const { child, exited } = await start(recorded(argv, { [markVariable]: mark }), others, descriptors);
  const failed = exited.then((exit) => {
    throw new LaunchError(`the program was not started: its recorder ended with ${exit.code}`);
  });
  const told = child.stdio[4] as Readable;
  const [pid] = (await Promise.race([once(told, 'data'), failed])) as [Buffer];
  told.destroy();
  const id = await identify(Number(pid));
  const childExited = exited.then(async ({ code }) => {
    await end(id, new AbortController().signal);
    return code === null ? await recordedExit(record) : exitOf(code);
  });
  return { id, exited: settled(childExited, output.written) };
};

/**
 * Watches a process that another engine started, and the one that writes its output: how it ended is only known from
 * its record, if it has one.
 */
export const adopt = (id: ProcessId, writer: ProcessId | undefined, record: string, signal: AbortSignal): Running => {
  const exited = end(id, signal).then(() => recordedExit(record));
  exited.catch(() => undefined);
  return { id, exited: settled(exited, () => writerEnded(writer)) };
};

const politeMs = 5000;
const killMs = 10_000;

/**
 * Ends a process: asks with SIGINT, which a runtime answers gracefully, and kills after 5 s. Throws
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
