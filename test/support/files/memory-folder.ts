import { mkdtemp } from 'node:fs/promises';
import type { Test } from 'tap';
import { removeFolder } from './remove.ts';

/** A folder in memory that is gone after the test: for tests that write more often than a disk likes. */
export const memoryFolder = async (t: Test): Promise<string> => {
  const folder = await mkdtemp('/dev/shm/lab-test-');
  t.teardown(() => removeFolder(folder));
  return folder;
};
