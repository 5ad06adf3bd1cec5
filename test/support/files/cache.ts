import fs from 'node:fs/promises';
import path from 'node:path';
import { cachePath } from '../../../lab/system/files/cache.ts';

/** Parts of the cache that hold what can be made again. Records of runs are not among them. */
const shared = [
  'packages',
  'indexes',
  'tools',
  'node',
  'wasmtime',
  'kernels',
  'layers',
  'initramfs',
  'compiled',
  'guests',
];

/**
 * A cache folder in `home` whose `parts` are this computer's own, by links, and where everything else is its own.
 * Returns the cache folder itself.
 */
export const linkedCache = async (home: string, parts: readonly string[] = shared): Promise<string> => {
  const cache = path.join(home, 'oakestra-wasm-lab');
  await fs.mkdir(cache, { recursive: true });
  for (const part of parts) {
    await fs.mkdir(cachePath(part), { recursive: true });
    await fs.symlink(cachePath(part), path.join(cache, part));
  }
  return cache;
};
