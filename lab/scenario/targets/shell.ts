import type { ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { $, type Shell as ZxShell } from 'zx/core';
import { messageOf } from '../../system/errors.ts';
import { quote } from '../../system/quote.ts';

/** zx's `$`, bound to the place where its commands run. */
export type Shell = ZxShell<false>;

/** How one script ended in that place. */
export type ScriptRun = (
  script: string,
  signal: AbortSignal,
) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;

/** A command line and how it went, for the transcript. */
export type CommandRecord = { readonly command: string; readonly code: number; readonly output: string };

/** A stand-in for a child process whose work is done by `run`: all that zx looks at, and no process on this side. */
const remoteChild = (run: ScriptRun, script: string): ChildProcess => {
  const controller = new AbortController();
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const child = Object.assign(new EventEmitter(), {
    stdin,
    stdout,
    stderr,
    stdio: [stdin, stdout, stderr],
    pid: undefined,
    exitCode: null,
    signalCode: null,
    connected: false,
    kill: () => {
      controller.abort(new Error('the command was ended'));
      return true;
    },
    unref: () => {},
    ref: () => {},
  });
  const end = (code: number | null, out: string, err: string) => {
    stdout.end(out);
    stderr.end(err);
    child.emit('exit', code, null);
    setImmediate(() => child.emit('close', code, null));
  };
  run(script, controller.signal).then(
    (ended) => end(ended.code, ended.stdout, ended.stderr),
    (error: unknown) => end(255, '', `${messageOf(error)}\n`),
  );
  // zx looks at no other member than these
  return child as unknown as ChildProcess;
};

/**
 * `$` whose scripts are run by `run`. zx hands the whole script over as one text, so nothing of it can end up on this
 * computer. `note` gets every command with its outcome.
 */
export const bindShell = (run: ScriptRun, note: (typed: CommandRecord) => void): Shell =>
  $({
    quote,
    prefix: '',
    quiet: true,
    spawn: ((script: string) =>
      remoteChild(async (text, signal) => {
        const ended = await run(text, signal);
        note({ command: text.trim(), code: ended.code, output: `${ended.stdout}${ended.stderr}` });
        return ended;
      }, script)) as unknown as typeof spawn,
  });
