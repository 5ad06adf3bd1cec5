import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { availableParallelism, constants, setPriority, totalmem } from 'node:os';
import { maxCompileMs } from '../../contract/limits.ts';
import { spawn } from '../../system/spawn.ts';
import { dropPrivileges } from '../../system/users.ts';
import { deadline } from '../../system/wait.ts';

/** A component could not be compiled. The message has what the compiler said. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
}

/** The most of what a compiler says that is kept, in characters. */
const maxSaid = 1000;

/** The largest result, in bytes; the largest component makes a third of it. */
const maxOutput = 1024 ** 3;

/**
 * The memory that one compiler may have, in bytes: a JavaScript engine of 12 MB needs 0.36 GB. Two at a time never want
 * more than the board has.
 */
export const compilerMemory = (total: number): number => Math.min(2 * 1024 ** 3, Math.floor(total / 2));

/**
 * Gives what follows its limits (memory, processor time, size of files; setrlimit(2)), and makes it the first that the
 * kernel ends for want of memory. These hold without control groups and however the engine ends.
 */
const bounded =
  'echo 1000 >/proc/self/oom_score_adj; ulimit -d "$1"; ulimit -t "$2"; ulimit -f "$3"; shift 3; exec "$@"';

/** The descriptor that a compiler writes to. */
export const outputFile = '/proc/self/fd/3';

type Compilation = {
  /** The argv that compiles into {@link outputFile}. */
  readonly argv: readonly string[];
  /** The user that the compiler runs as; undefined for the engine's own. */
  readonly user: number | undefined;
};

const argvOf = ({ argv, user }: Compilation): readonly string[] => [
  ...['-c', bounded, 'sh'],
  String(Math.floor(compilerMemory(totalmem()) / 1024)),
  String(Math.ceil((maxCompileMs / 1000) * availableParallelism())),
  String(maxOutput / 512),
  ...dropPrivileges(user),
  ...['setpriv', '--pdeathsig', 'KILL', '--'],
  ...argv,
];

/**
 * Compiles a component into `output`, which needs no name that the compiler could reach: it is given the descriptor.
 * The compiler is as weak as an instance, and bounded in time and memory. Throws {@link CompileError}, or the signal's
 * reason.
 */
export const compile = async (compilation: Compilation, output: FileHandle, signal: AbortSignal): Promise<void> => {
  using limit = deadline(signal, maxCompileMs, 'compiling');
  limit.throwIfAborted();
  const child = spawn('sh', argvOf(compilation), {
    cwd: '/',
    detached: true, // a group of its own, which is ended as a whole
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin' },
    stdio: ['ignore', 'ignore', 'pipe', output.fd],
  });
  // not by nice(1), which a small system may lack
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, maxSaid);
  });
  const kill = () => {
    // Until its end is known here, its number is nobody else's.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGKILL');
  };
  limit.addEventListener('abort', kill, { once: true });
  try {
    const [code, by] = (await once(child, 'close')) as [number | null, string | null];
    limit.throwIfAborted();
    if (code === 0) return;
    const how = by === null ? `ended with ${code}` : `was ended by ${by}`;
    throw new CompileError(`the compiler ${how}${said.trim() === '' ? '' : `: ${said.trim()}`}`);
  } finally {
    limit.removeEventListener('abort', kill);
  }
};
