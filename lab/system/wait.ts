import { setTimeout as pause } from 'node:timers/promises';

/** A deadline that can be put off. */
export type Deadline = {
  readonly signal: AbortSignal;
  /** Puts it off by so many milliseconds; fewer than none bring it forward. */
  readonly extend: (ms: number) => void;
};

/** How often a deadline looks at the clock, in ms; of a longer pause of this process only so much counts. */
const tickMs = 500;

/**
 * Its signal is aborted after `ms` and all extensions, or with any of `signals`; the reason says what was waited for.
 * Time counts in which this process runs: a computer that stood still, or was suspended, has used up nobody's time.
 */
export const extendableDeadline = (
  ms: number,
  subject: string,
  ...signals: readonly (AbortSignal | undefined)[]
): Deadline => {
  const controller = new AbortController();
  let [allowed, used, last] = [0, 0, performance.now()];
  let timer: NodeJS.Timeout | undefined;
  const count = () => {
    const now = performance.now();
    used += Math.min(now - last, 2 * tickMs);
    last = now;
  };
  const tick = () => {
    count();
    if (used < allowed) wait();
    else controller.abort(new Error(`${subject} timed out after ${Math.round(allowed / 1000)} s`));
  };
  const wait = () => {
    timer = setTimeout(tick, Math.max(0, Math.min(allowed - used, tickMs)));
    timer.unref();
  };
  const extend = (more: number) => {
    clearTimeout(timer);
    count();
    allowed += more;
    wait();
  };
  extend(ms);
  return { signal: AbortSignal.any([controller.signal, ...signals.filter((signal) => signal !== undefined)]), extend };
};

/** A signal that is aborted after `ms`, or with any of `signals`; the reason says what was waited for. */
export const deadline = (ms: number, subject: string, ...signals: readonly (AbortSignal | undefined)[]): AbortSignal =>
  extendableDeadline(ms, subject, ...signals).signal;

/** Does `work`, which may take `most` milliseconds; what it takes does not count for `limit`. */
export const apartFrom = async <T>(limit: Deadline, most: number, work: () => Promise<T>): Promise<T> => {
  const began = performance.now();
  limit.extend(most);
  try {
    return await work();
  } finally {
    limit.extend(performance.now() - began - most);
  }
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
