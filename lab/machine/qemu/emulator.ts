import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { labFault } from '../../system/errors.ts';
import type { Program } from '../../system/packages/tools.ts';
import { tail } from '../../system/process.ts';
import type { RunFolder } from '../../system/runs.ts';
import { until } from '../../system/wait.ts';
import { runFiles } from './command.ts';
import { JsonChannel } from './json-channel.ts';

/** A started emulator: its monitor, its agent channel, and a signal that says when and why it ended. */
export type Emulator = AsyncDisposable & {
  readonly monitor: JsonChannel;
  readonly agent: JsonChannel;
  readonly lost: AbortSignal;
  readonly consoleText: () => Promise<string>;
  /** Lets the emulator go on when this process ends. */
  readonly release: () => void;
};

/** What the emulator calls the open file that it was started with. */
export const stateFile = '/proc/self/fd/4';

const connect = (folder: string, name: string, ends: AbortSignal): Promise<JsonChannel> =>
  until(() => JsonChannel.open(path.join(folder, name)).catch(() => undefined), ends);

/**
 * Starts the emulator in the run's folder, in a session of its own so that Ctrl-C leaves its end to us. Disposing of it
 * ends it. When it ends by itself, `gone` is aborted with what it printed and the console's last lines. Throws the
 * reason of `signal`, or of `gone`, when that comes before it can be talked to.
 */
export const startEmulator = async (
  program: Program,
  args: readonly string[],
  run: Pick<RunFolder, 'folder' | 'env' | 'lock'>,
  signal: AbortSignal,
  /** An open file that it can read, by the name of {@link stateFile}. */
  state: number | 'ignore' = 'ignore',
): Promise<Emulator> => {
  const { folder } = run;
  const lost = new AbortController();
  const consoleText = () => fs.readFile(path.join(folder, runFiles.console), 'utf8').catch(() => '');
  const output = await fs.open(path.join(folder, 'emulator.log'), 'a');
  const child = spawn(program.file, [...program.args, ...args], {
    cwd: folder,
    env: { ...process.env, ...run.env },
    detached: true,
    // it keeps the run's lock for as long as it goes on
    stdio: ['ignore', output.fd, output.fd, run.lock, state],
  });
  const exit = Promise.withResolvers<string>();
  child.once('error', (error) => exit.resolve(`could not be started: ${error.message}`));
  child.once('exit', (code, signal) => exit.resolve(signal ? `was ended by ${signal}` : `ended with ${code}`));
  await output.close();
  const ended = exit.promise.then(async (why) => {
    const printed = await fs.readFile(path.join(folder, 'emulator.log'), 'utf8').catch(() => '');
    const parts = [tail(printed), tail(await consoleText())].filter((part) => part !== '');
    lost.abort(labFault(`the emulator ${why}${parts.length > 0 ? `\n${parts.join('\n')}` : ''}`));
  });
  const ends = AbortSignal.any([lost.signal, signal]);
  try {
    const monitor = await connect(folder, runFiles.monitor, ends);
    await monitor.request('qmp_capabilities', {}, ends);
    const agent = await connect(folder, runFiles.agent, ends);
    return {
      monitor,
      agent,
      lost: lost.signal,
      consoleText,
      release: () => {
        monitor[Symbol.dispose]();
        agent[Symbol.dispose]();
        child.unref();
      },
      [Symbol.asyncDispose]: async () => {
        monitor[Symbol.dispose]();
        agent[Symbol.dispose]();
        child.kill('SIGKILL');
        await ended;
      },
    };
  } catch {
    child.kill('SIGKILL');
    await ended;
    throw signal.aborted ? signal.reason : lost.signal.reason;
  }
};
