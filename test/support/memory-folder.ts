import { mkdtemp, rm } from 'node:fs/promises';
import type { Test } from 'tap';

/** A folder in memory that is gone after the test: for tests that write more often than a disk likes. */
export const memoryFolder = async (t: Test): Promise<string> => {
  const folder = await mkdtemp('/dev/shm/lab-test-');
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
};
