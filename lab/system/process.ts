import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { pipeline, type Readable } from 'node:stream';

/** Gathers what a stream says; the function gives all of it so far. */
export const collect = (stream: Readable): (() => Buffer) => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
};

/** What a program reads: all of it at once, or a stream that is opened when the program runs. */
export type ProgramInput = string | Uint8Array | (() => Readable);

/** How a command ended, with its output as text; `code` is 128 + signal when a signal ended it. */
export type ExecResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** How a program ended; `code` is 128 + signal when a signal ended it. */
export type Finished = { readonly code: number; readonly stdout: Buffer; readonly stderr: Buffer };

/** Runs a program to its end in a session of its own; an abort kills all of that session and rejects. */
export const runProgram = (
  [file = '', ...args]: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly stdin?: ProgramInput | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Finished> => {
  const { env, stdin, signal } = options;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Finished>();
  const child = spawn(file, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const kill = () => {
    reject(signal?.reason);
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const finished = (code: number | null, by: NodeJS.Signals | null) =>
    resolve({ code: code ?? 128 + (by === null ? 0 : constants.signals[by]), stdout: stdout(), stderr: stderr() });
  signal?.addEventListener('abort', kill, { once: true });
  child.once('error', reject);
  child.once('close', finished);
  // when it has ended without reading all of its input its exit says so
  const ignore = () => {};
  child.stdin.on('error', ignore);
  if (typeof stdin === 'function') pipeline(stdin(), child.stdin, ignore);
  else child.stdin.end(stdin);
  return promise.finally(() => signal?.removeEventListener('abort', kill));
};

const printedLines = 30;

/** The last lines of what a program printed, for a message. */
export const tail = (text: string, lines = printedLines): string => text.trimEnd().split('\n').slice(-lines).join('\n');
