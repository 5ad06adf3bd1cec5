import { setTimeout as pause } from 'node:timers/promises';

/** Resolves once `look` is true; rejects when `signal` aborts, saying what was waited for. */
export const until = async (look: () => Promise<boolean>, what: string, signal: AbortSignal): Promise<void> => {
  while (!(await look())) {
    if (signal.aborted) throw new Error(`no ${what}`, { cause: signal.reason });
    await pause(20);
  }
};
