import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import Type from 'typebox';
import { parse } from '../../../worker/contract/check.ts';
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

const connect = (
  folder: string,
  name: string,
  ends: AbortSignal,
  onEvent?: (name: string) => void,
): Promise<JsonChannel> => until(() => JsonChannel.open(path.join(folder, name), onEvent).catch(() => undefined), ends);

const RunState = Type.Object({ status: Type.String() });

/** Whether a guest runs or why it does not, in QEMU's words (qapi/run-state.json, RunState). */
export const runState = async (monitor: JsonChannel, signal?: AbortSignal): Promise<string> =>
  parse(RunState, await monitor.request('query-status', {}, signal), "answer to 'query-status'").status;

/**
 * Starts the emulator in the run's folder, in a session of its own so that Ctrl-C leaves its end to us. Disposing of it
 * ends it. When it ends by itself, or gives its guest up, `lost` is aborted with what it printed and the console's last
 * lines. Throws the reason of `signal`, or of `lost`, when that comes before it can be talked to.
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
  const printedText = () => fs.readFile(path.join(folder, 'emulator.log'), 'utf8').catch(() => '');
  let givenUp: string | undefined;
  const exit = Promise.withResolvers<string>();
  child.once('error', (error) => exit.resolve(`could not be started: ${error.message}`));
  child.once('exit', (code, signal) =>
    exit.resolve(givenUp ?? (signal ? `was ended by ${signal}` : `ended with ${code}`)),
  );
  await output.close();
  const ended = exit.promise.then(async (why) => {
    // what it prints of a guest that it gave up are registers
    const printed = givenUp === undefined ? await printedText() : '';
    const parts = [tail(printed), tail(await consoleText())].filter((part) => part !== '');
    lost.abort(labFault(`the emulator ${why}${parts.length > 0 ? `\n${parts.join('\n')}` : ''}`));
  });
  const ends = AbortSignal.any([lost.signal, signal]);
  /** An emulator whose accelerator fails keeps the guest as it is, for somebody with a debugger. */
  const endIfGivenUp = async () => {
    if ((await runState(monitor, ends)) !== 'internal-error') return;
    givenUp = `gave the guest up (${/^.*internal error.*$/im.exec(await printedText())?.[0] ?? 'internal error'})`;
    child.kill('SIGKILL');
  };
  let monitor: JsonChannel;
  try {
    monitor = await connect(folder, runFiles.monitor, ends, (event) => {
      // its answer does not come where the emulator ends meanwhile
      if (event === 'STOP') endIfGivenUp().catch(() => {});
    });
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
