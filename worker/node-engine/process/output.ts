import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { spawn } from '../../system/spawn.ts';
import { dropPrivileges } from '../../system/users.ts';
import { deadline, retry } from '../../system/wait.ts';
import { isRunning, type ProcessId } from './proc.ts';

/** The most bytes that one file of an instance's output may have; there are two of them. */
export const maxLogBytes = 10_000_000;

const blockBytes = 16_384;
const blocks = 256;

/**
 * Appends its standard input to the file `$1` until all writers have ended. A file that has grown becomes `$1.1`. Every
 * read is at most a block and is written at once. What cannot be written, to a full disk perhaps, is dropped: whoever
 * writes waits for no more than a disk that works. dd(1) reports "0+0 records in" at the end of its input (POSIX); when
 * nothing has come since a file was set aside, it is put back, so that the last lines are in `$1`.
 */
const writer = `
unset OAKESTRA_OUTPUT
umask 027
moved=
while :; do
  [ -f /proc/self/fd/3 ] || command exec 3>>"$1" || command exec 3>/dev/null
  said=$(dd bs=${blockBytes} count=${blocks} 2>&1 >&3) || said=$(dd bs=${blockBytes} count=${blocks} 2>&1 >/dev/null)
  case $said in 0+0*) break ;; esac
  size=$(wc -c </proc/self/fd/3) && [ "$size" -ge ${maxLogBytes - blockBytes * blocks} ] || continue
  mv -f "$1" "$1.1" && moved=1
  exec 3>&-
done
[ -z "$moved" ] || [ -s "$1" ] || mv -f "$1.1" "$1"`;

/** Marks the writer of an instance's output for a later engine: its value is the instance's journal file. */
export const outputMark = 'OAKESTRA_OUTPUT';

/** How long a writer may take to write the rest when its instance has ended, in ms. */
const restMs = 2000;

type Output = AsyncDisposable & {
  /** Becomes standard output and error of a program. Disposing closes the engine's own end of it. */
  readonly input: Writable;
  /** Resolves when everything is in the file, or with what is there after some time. */
  readonly written: () => Promise<void>;
};

/**
 * Starts what keeps the output of one program in two bounded files, `log` and `log.1`, at any rate. It is a process of
 * its own (a shell and dd, 2 MB), so that it outlives the engine as the program does.
 */
export const openOutput = async (log: string, mark: string): Promise<Output> => {
  const [command, ...args] = [...dropPrivileges(undefined), 'sh', '-c', writer, 'sh', log] as const;
  const child = spawn(command, args, {
    cwd: '/',
    detached: true,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', [outputMark]: mark },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await once(child, 'spawn');
  const input = child.stdin;
  // a writer that was killed does not end the engine
  input.on('error', () => undefined);
  return {
    input,
    written: async () => {
      using late = deadline(new AbortController().signal, restMs, 'writing the output');
      await Promise.race([ended, once(late, 'abort')]);
    },
    [Symbol.asyncDispose]: async () => void input.destroy(),
  };
};

/** Waits for the writer of an instance's output that an earlier engine started, as {@link openOutput} does. */
export const writerEnded = async (id: ProcessId | undefined): Promise<void> => {
  if (id === undefined) return;
  const gone = async () => {
    if (await isRunning(id)) throw new Error('still writing');
  };
  using late = deadline(new AbortController().signal, restMs, 'writing the output');
  await retry(gone, { first: 10, growth: 2, most: 250 }, late, () => undefined).catch(() => undefined);
};
