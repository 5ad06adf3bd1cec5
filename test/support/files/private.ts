import fs from 'node:fs/promises';
import path from 'node:path';
import { linkedCache } from './cache.ts';
import { removeFolder } from './remove.ts';

/**
 * Gives this process a cache of its own until it is disposed of; only its `parts` are this computer's. The folder
 * beside it is for whatever the test writes.
 */
export const privateCache = async (
  parts?: readonly string[],
): Promise<AsyncDisposable & { readonly cache: string; readonly folder: string }> => {
  const folder = await fs.mkdtemp('/tmp/lab-test-');
  const cache = await linkedCache(path.join(folder, 'home'), parts);
  const before = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = path.join(folder, 'home');
  return {
    cache,
    folder,
    [Symbol.asyncDispose]: async () => {
      if (before === undefined) delete process.env['XDG_CACHE_HOME'];
      else process.env['XDG_CACHE_HOME'] = before;
      await removeFolder(folder);
    },
  };
};
