import path from 'node:path';
import { execa } from 'execa';
import { cachePath } from '../../system/cache.ts';
import { externalTree } from './output.ts';
import type { BuildrootTree } from './tree.ts';

/** Runs Buildroot's make for one output folder, with downloads and the compiler's cache where all builds share them. */
export const makeRunner = (tree: BuildrootTree, output: string, signal: AbortSignal) => {
  const downloads = path.resolve(process.env['BR2_DL_DIR'] ?? cachePath('buildroot', 'downloads'));
  const mirror = process.env['BR2_PRIMARY_SITE'];
  const variables = [
    ...[`O=${output}`, `BR2_EXTERNAL=${externalTree}`, `BR2_DL_DIR=${downloads}`],
    `BR2_CCACHE_DIR=${process.env['BR2_CCACHE_DIR'] ?? cachePath('buildroot', 'ccache')}`,
    ...(mirror === undefined ? [] : [`BR2_PRIMARY_SITE=${mirror}`]),
  ];
  const command = (args: readonly string[]) => ['-C', tree.folder, ...variables, ...args];
  return {
    downloads,
    /** One or more targets, quietly. */
    make: (...args: readonly string[]) =>
      execa('make', command(args), {
        cancelSignal: signal,
        stdin: 'ignore',
        all: true,
        maxBuffer: 64 * 1024 * 1024,
      }),
    /** A target that the user works with on the terminal. */
    interact: (target: string) => execa('make', command([target]), { cancelSignal: signal, stdio: 'inherit' }),
  };
};
export type Runner = ReturnType<typeof makeRunner>;
