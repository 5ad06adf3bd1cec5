import fs from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/** Whoever builds writes a file in several goes, or removes it first: for so long it has to be the same. */
const restMs = 100;

/** What tells a file from a changed one; undefined where there is none. */
const stampOf = async (file: string): Promise<string | undefined> => {
  const found = await fs.stat(file, { bigint: true }).catch(() => undefined);
  return found && `${found.ino} ${found.size} ${found.mtimeNs}`;
};

/**
 * Yields once at first, and again whenever the file has changed and is at rest. Looks at the file's data rather than
 * waits for its folder's events: a build may remove that folder too. Throws the reason of `signal` when that is aborted.
 */
export async function* changesOf(file: string, signal: AbortSignal): AsyncGenerator<void, never> {
  let known: string | undefined;
  let before: string | undefined;
  yield;
  known = await stampOf(file);
  before = known;
  for (;;) {
    await pause(restMs, undefined, { signal });
    const now = await stampOf(file);
    const isAtRest = now === before;
    before = now;
    if (!isAtRest || now === undefined || now === known) continue;
    known = now;
    yield;
  }
}
