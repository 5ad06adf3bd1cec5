import { setTimeout as sleep } from 'node:timers/promises';

/** Pauses between attempts, in ms: from `first`, growing by `growth` up to `most`. */
type Backoff = { readonly first: number; readonly growth: number; readonly most: number };

/**
 * `signal` and a time limit in ms in one, until it is disposed of; its reason says what was waited for. Not by
 * AbortSignal.any: Node keeps what that makes for ever once somebody has listened to it and not stopped.
 */
export const deadline = (signal: AbortSignal, ms: number, subject: string): AbortSignal & Disposable => {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`${subject} took longer than ${ms / 1000} s`)), ms);
  const stop = () => controller.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return Object.assign(controller.signal, {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    },
  });
};

/**
 * Calls `attempt` until it succeeds, pausing between attempts. `onFailure` hears of every failure and may throw to
 * give up. Rejects with the signal's reason once it aborts.
 */
export const retry = async <T>(
  attempt: () => Promise<T>,
  backoff: Backoff,
  signal: AbortSignal,
  onFailure: (error: unknown, attempts: number) => void,
): Promise<T> => {
  let pause = backoff.first;
  for (let attempts = 1; ; attempts += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      onFailure(error, attempts);
    }
    await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
    pause = Math.min(pause * backoff.growth, backoff.most);
  }
};

/** What `work` gives, or the reason of `signal` as soon as it aborts; `work` itself goes on then, unheard. */
export const abortable = async <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

/** True when `work` has settled within `ms`. */
export const settlesWithin = async (work: Promise<unknown>, ms: number): Promise<boolean> => {
  const over = new AbortController();
  const late = sleep(ms, false, { signal: over.signal }).catch(() => false);
  const settled = work.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([settled, late]);
  over.abort();
  return inTime;
};
