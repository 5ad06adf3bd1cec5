import { spawn as start } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** How many are open at once while a process with three pipes is started: two a pipe, and two to hear how it went. */
const needed = 8;

/**
 * Throws where too few descriptors are left to start a process. When that is found out by spawn itself, Node
 * (lib/internal/child_process.js, 24) leaves its pipes open for good and gives no `stdin`, `stdout` and `stderr`.
 */
export const requireDescriptors = (): void => {
  const opened: number[] = [];
  try {
    while (opened.length < needed) opened.push(openSync('/dev/null', 'r'));
  } catch (cause) {
    throw new Error('no process can be started: too many files are open (its limit: ulimit -n)', { cause });
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
};

/** As Node's own spawn, but throws like {@link requireDescriptors}, before anything is opened. */
export const spawn = ((...parameters: Parameters<typeof start>) => {
  requireDescriptors();
  return start(...parameters);
}) as typeof start;
