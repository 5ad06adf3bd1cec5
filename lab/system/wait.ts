import { setTimeout as pause } from 'node:timers/promises';

/** A signal that is aborted after `ms`, or with any of `signals`; the reason says what was waited for. */
export const deadline = (ms: number, what: string, ...signals: readonly (AbortSignal | undefined)[]): AbortSignal => {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`${what}: not within ${Math.round(ms / 1000)} s`)), ms);
  timer.unref();
  return AbortSignal.any([controller.signal, ...signals.filter((signal) => signal !== undefined)]);
};

/**
 * Asks again and again, at first soon and then more seldom, until the answer is not undefined. Rejects with the reason
 * of `signal` when that is aborted.
 */
export const until = async <T>(ask: () => Promise<T | undefined> | T | undefined, signal: AbortSignal): Promise<T> => {
  for (let gap = 10; ; gap = Math.min(gap * 1.5, 500)) {
    signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(gap, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
};

/** `work`, or the reason of `signal` when that is aborted first. */
export const abortable = <T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  if (!signal) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort));
};
