import { existsSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { deadline, retry } from '../../system/wait.ts';

/** How a process ended; `code` and `signal` are both null when nobody could see it end. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/**
 * Runs the command that follows as a child, so that somebody sees it end even when the engine is gone: the child's id
 * comes on descriptor 4 and its exit status, once it has one, goes to descriptor 3. The child has neither of them.
 */
const recorder = `sh -c 'echo $$ >&4; exec "$@" 3>&- 4>&-' sh "$@"; status=$?; echo $status >&3; exit $status`;

/** A program by its path: by its name alone, BusyBox's shell would take an applet of its own that knows fewer options. */
const located = (program: string): string =>
  (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file)) ?? program;

/** The argv that starts a program under a recorder. `environment` is the program's only, and not secret. */
export const recorded = (
  [program = '', ...argv]: readonly string[],
  environment: Readonly<Record<string, string>>,
): string[] => [
  ...['sh', '-c', recorder, 'sh', 'env'],
  ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
  located(program),
  ...argv,
];

const unobserved: Exit = { code: null, signal: null };

/** A status has up to three digits, and a line's end. */
const longestStatus = 4;

/** With this wasmtime itself exits after a trap; for a shell it would be a signal. */
const trapped = 134;

/** How a command ended, by a shell's exit status (POSIX, Shell Command Language, 2.8.2), which is a recorder's own, too. */
export const exitOf = (status: number): Exit => {
  const ended = Object.entries(constants.signals).find(([, number]) => number === status - 128);
  return ended === undefined || status === trapped
    ? { code: status, signal: null }
    : { code: null, signal: ended[0] as NodeJS.Signals };
};

/**
 * Opens the file for an exit status. It has its room on the disk before it is needed: a program that ends while the disk
 * is full ends as it does.
 */
export const openRecord = async (file: string): Promise<FileHandle> => {
  const handle = await open(file, 'w', 0o600);
  await handle.write(' '.repeat(longestStatus), 0);
  return handle;
};

/** How long a recorder may take to write, in ms. */
const recordMs = 2000;

/** How a process that has ended did so, by its record; unobserved when it has none. */
export const recordedExit = async (file: string): Promise<Exit> => {
  using limit = deadline(new AbortController().signal, recordMs, 'recording the exit status');
  const attempt = async () => {
    const text = await readFile(file, 'utf8');
    const [status = '', ...more] = text.split('\n');
    if (more.length === 0) throw new Error(`${file} holds no exit status yet`);
    return exitOf(Number(status));
  };
  const giveUpIfNone = (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
  };
  return await retry(attempt, { first: 10, growth: 2, most: 250 }, limit, giveUpIfNone).catch(() => unobserved);
};
