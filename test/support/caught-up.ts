import { setImmediate } from 'node:timers/promises';

/**
 * Resolves when this process has read what others had written to its pipes and sockets before: two turns of the event
 * loop. Of an answer and a line of a log that was written before it, either may be read first.
 */
export const caughtUp = async (): Promise<void> => {
  await setImmediate();
  await setImmediate();
};
