import { fileURLToPath } from 'node:url';
import type { TreeEntry } from '../system/packages/deb.ts';
import { folderTree } from './entries.ts';
import { buildWorker } from './worker-bundle.ts';

const overlay = fileURLToPath(new URL('../../buildroot/overlay/', import.meta.url));

/**
 * What a board's root file system gets of the worker: start programs and scripts, the configuration to begin with, and
 * both daemons, which are bundled into the empty folder `bundles` first.
 */
export const workerEntries = async (bundles: string): Promise<readonly TreeEntry[]> => {
  await buildWorker(bundles);
  return [...(await folderTree(overlay)), ...(await folderTree(bundles, 'usr/lib/oakestra'))];
};
