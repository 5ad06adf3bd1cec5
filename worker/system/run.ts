import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { requireDescriptors } from './spawn.ts';

const execute = promisify(execFile);

/** A command that could not be started, was ended from outside or exited with a status other than 0. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly argv: readonly string[];
  readonly stderr: string;
  constructor(argv: readonly string[], stderr: string, cause: unknown) {
    const reason = stderr.trim() || (cause instanceof Error ? cause.message : String(cause));
    super(`${argv.join(' ')}: ${reason}`, { cause });
    this.argv = argv;
    this.stderr = stderr;
  }
}

/** What {@link run} may be told beside the command. */
export type RunOptions = {
  /** Text for the command's standard input; empty when left out. */
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which the command is killed; 10 s when left out. */
  readonly timeoutMs?: number;
};

const textOf = (error: unknown, key: string): string => {
  const value = error instanceof Error ? (error as unknown as Record<string, unknown>)[key] : undefined;
  return typeof value === 'string' ? value : '';
};

/**
 * Runs a command without a shell and returns its standard output.
 * Throws {@link CommandFailed} with what the command wrote to standard error.
 */
export const run = async (argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> => {
  const [file, ...args] = argv;
  try {
    requireDescriptors();
  } catch (error) {
    throw new CommandFailed(argv, '', error);
  }
  const running = execute(file, args, {
    signal: options.signal,
    timeout: options.timeoutMs ?? 10_000,
    maxBuffer: 16 * 1024 * 1024,
  });
  // A command that exits before it has read its input is reported by its status, not by the broken pipe.
  running.child.stdin?.on('error', () => undefined);
  running.child.stdin?.end(options.input ?? '');
  try {
    return (await running).stdout;
  } catch (error) {
    const stderr = textOf(error, 'stderr');
    const missing = textOf(error, 'code') === 'ENOENT' ? `${file} is not installed or not on PATH` : '';
    throw new CommandFailed(argv, stderr || missing, error);
  }
};
