import { readFile } from 'node:fs/promises';
import { send } from '../artifacts/http.ts';
import { type Exit, LaunchError, type Running } from '../process/launch.ts';
import { deadline, retry } from '../wait.ts';

const readyMs = 120_000;
const attemptMs = 20_000;

/** An exit in words: "exited with 1", "was ended by SIGKILL". */
export const describeExit = ({ code, signal }: Exit): string => {
  if (signal !== null) return `was ended by ${signal}`;
  return code === null ? 'ended unobserved' : `exited with ${code}`;
};

/** A signal that aborts with a {@link LaunchError} when the process ends before it was `what`. */
const untilEnd = (running: Running, what: string, signal: AbortSignal): AbortSignal => {
  const ended = new AbortController();
  running.exited.then(
    (exit) => ended.abort(new LaunchError(`wasmtime ${describeExit(exit)} before it ${what}`)),
    (error) => ended.abort(error),
  );
  return AbortSignal.any([signal, ended.signal]);
};

/**
 * Waits for one real HTTP response from an instance, whatever its status, and resolves with the status. Throws
 * {@link LaunchError} as soon as the process ends.
 */
export const firstResponse = async (
  running: Running,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<number> => {
  using limit = deadline(signal, readyMs, 'the first HTTP response');
  const either = untilEnd(running, 'answered', limit);
  const attempt = async () => {
    using once = deadline(either, attemptMs, 'an HTTP response');
    const answer = await send({ host: address, port, path: '/', agent: false, signal: once });
    answer.destroy();
    return answer.statusCode ?? 0;
  };
  return retry(attempt, { first: 10, growth: 1.2, most: 250 }, either, () => undefined);
};

/**
 * Waits until the process has become wasmtime, whose file is called `name`; one that has already ended well counts.
 * Throws {@link LaunchError} when it ended otherwise.
 */
export const started = async (running: Running, name: string, signal: AbortSignal): Promise<void> => {
  using limit = deadline(signal, readyMs, 'the start of wasmtime');
  const attempt = async () => {
    const command = await readFile(`/proc/${running.id.pid}/comm`, 'utf8');
    if (command.trim() !== name.slice(0, 15)) throw new LaunchError(`the process is still ${command.trim()}`);
  };
  const ended = running.exited.then((exit) => {
    if (exit.code !== 0) throw new LaunchError(`wasmtime ${describeExit(exit)} at once`);
  });
  await Promise.race([retry(attempt, { first: 5, growth: 1.2, most: 250 }, limit, () => undefined), ended]);
};
