import fs from 'node:fs/promises';
import path from 'node:path';
import type { Input } from '../../report/model/results.ts';
import { usageFault } from '../../system/errors.ts';
import { fileDigest } from '../../system/files/digest.ts';

/**
 * What takes the place of sources that cannot be reached: a folder with `fragment.config` (lines that are appended to
 * the defconfig) and `local.mk` (Buildroot's own way to name other sources). Either may be missing.
 */
export type StandIns = { readonly fragment: string; readonly localMk: string; readonly inputs: readonly Input[] };

const none: StandIns = { fragment: '', localMk: '', inputs: [] };

/** The packages whose source a `local.mk` replaces, with the folder that it takes in their place. */
export const parseOverrides = (localMk: string): readonly Input[] =>
  [...localMk.matchAll(/^(\w+)_OVERRIDE_SRCDIR\s*:?=\s*(\S+)\s*$/gm)].map(([, name = '', folder = '']) => ({
    name: `stand-in ${name.toLowerCase().replaceAll('_', '-')}`,
    detail: path.basename(folder),
  }));

/** Reads a folder of stand-ins. Throws a usage fault when it has neither file. */
export const readStandIns = async (folder: string | undefined): Promise<StandIns> => {
  if (folder === undefined) return none;
  const read = (name: string) => fs.readFile(path.join(folder, name), 'utf8').catch(() => '');
  const [fragment, localMk] = await Promise.all([read('fragment.config'), read('local.mk')]);
  if (fragment === '' && localMk === '') throw usageFault(`${folder} has neither fragment.config nor local.mk`);
  const fragmentInput =
    fragment === ''
      ? []
      : [{ name: 'stand-in fragment', sha256: await fileDigest(path.join(folder, 'fragment.config')) }];
  return { fragment, localMk, inputs: [...fragmentInput, ...parseOverrides(localMk)] };
};
