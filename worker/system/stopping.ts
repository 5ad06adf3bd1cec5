import type { Log } from './log.ts';

/**
 * Aborts when SIGTERM or SIGINT comes. A process that has not ended by itself so many ms later is ended then: what it
 * was in the middle of stands in its journal. `limitMs` is asked when the signal comes.
 */
export const stopSignal = (log: Log, limitMs: () => number): AbortSignal => {
  const stopping = new AbortController();
  const stop = (name: string) => {
    if (stopping.signal.aborted) return;
    stopping.abort(`${name} received`);
    const withinMs = limitMs();
    const late = () => {
      log.warn(`not everything was finished ${withinMs / 1000} s after ${name}; it is taken up at the next start`);
      process.exit(0);
    };
    setTimeout(late, withinMs).unref();
  };
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop(name));
  return stopping.signal;
};
