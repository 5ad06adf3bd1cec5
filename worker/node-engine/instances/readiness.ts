import { maxHeadBytes, maxReadyMs } from '../../contract/limits.ts';
import { explain } from '../../system/explain.ts';
import { deadline, retry } from '../../system/wait.ts';
import { send } from '../artifacts/http.ts';
import { EarlyExit, LaunchError, type Running } from '../process/launch.ts';
import type { Exit } from '../process/record.ts';
import type { Program, Runtime } from '../runtime/runtime.ts';

const pauses = { first: 10, growth: 1.2, most: 250 };

/** An exit in words: "exited with 1", "was ended by SIGKILL". */
export const describeExit = ({ code, signal }: Exit): string => {
  if (signal !== null) return `was ended by ${signal}`;
  return code === null ? 'ended unobserved' : `exited with ${code}`;
};

/** A signal that aborts with a {@link LaunchError} when the process ends before it was `what`. */
const untilEnd = (running: Running, name: string, what: string, signal: AbortSignal): AbortSignal => {
  const ended = new AbortController();
  running.exited.then(
    (exit) => ended.abort(new EarlyExit(`${name} ${describeExit(exit)} before it ${what}`)),
    (error) => ended.abort(error),
  );
  return AbortSignal.any([signal, ended.signal]);
};

/** Calls `attempt` until it succeeds; after `ms` a {@link LaunchError} says what was waited for and why in vain. */
const within = async <T>(
  ms: number,
  what: string,
  signal: AbortSignal,
  attempt: (limit: AbortSignal) => Promise<T>,
): Promise<T> => {
  using limit = deadline(new AbortController().signal, ms, what);
  let last: unknown;
  const giveUpOnLaunchError = (error: unknown) => {
    last = error;
    if (error instanceof LaunchError) throw error;
  };
  const either = AbortSignal.any([signal, limit]);
  try {
    return await retry(() => attempt(either), pauses, either, giveUpOnLaunchError);
  } catch (error) {
    if (signal.aborted || error !== limit.reason) throw error;
    throw new LaunchError(last === undefined ? explain(error) : `${explain(error)} (${explain(last)})`);
  }
};

/**
 * Waits at most `ms` for one real HTTP response from an instance, whatever its status, and resolves with the status.
 * Throws {@link LaunchError}, as soon as the process ends.
 */
export const firstResponse = async (
  running: Running,
  { name }: Pick<Runtime, 'name'>,
  address: string,
  port: number,
  signal: AbortSignal,
  ms = maxReadyMs,
): Promise<number> =>
  within(ms, 'the first HTTP response', untilEnd(running, name, 'answered', signal), async (limit) => {
    const request = { host: address, port, path: '/', agent: false, maxHeaderSize: maxHeadBytes, timeout: 0 };
    try {
      const answer = await send({ ...request, signal: limit });
      answer.destroy();
      return answer.statusCode ?? 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'HPE_HEADER_OVERFLOW') throw error;
      const most = maxHeadBytes / 1024;
      throw new LaunchError(`the first HTTP response has more than ${most} KiB of headers`, { cause: error });
    }
  });

/**
 * Waits at most `ms` until a command has linked and begun; one that has already ended well counts. Throws
 * {@link LaunchError} when it ended otherwise.
 */
export const started = async (
  running: Running,
  program: Program,
  runtime: Pick<Runtime, 'hasBegun' | 'name'>,
  signal: AbortSignal,
  ms = maxReadyMs,
): Promise<void> => {
  const over = new AbortController();
  const begun = runtime.hasBegun(running.id.pid, program);
  const seen = within(ms, `the start of ${runtime.name}`, AbortSignal.any([signal, over.signal]), async () => {
    if (!(await begun())) throw new Error('the program has not begun');
  });
  const ended = running.exited.then((exit) => {
    if (exit.code !== 0) throw new EarlyExit(`${runtime.name} ${describeExit(exit)} at once`);
  });
  try {
    await Promise.race([seen, ended]);
  } finally {
    over.abort();
  }
};
