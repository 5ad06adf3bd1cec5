import path from 'node:path';
import { cachePath } from '../../system/files/cache.ts';
import type { BuildHost } from './build-host.ts';
import { externalTree } from './output.ts';
import type { BuildrootTree } from './tree.ts';

/** Where all builds share what they downloaded and compiled; the user may name other folders, as for Buildroot itself. */
export const sharedFolders = (): { readonly downloads: string; readonly ccache: string } => ({
  downloads: path.resolve(process.env['BR2_DL_DIR'] ?? cachePath('buildroot', 'downloads')),
  ccache: path.resolve(process.env['BR2_CCACHE_DIR'] ?? cachePath('buildroot', 'ccache')),
});

export type Runner = {
  /** One or more targets, quietly; resolves with what they wrote to stdout. */
  readonly make: (...args: readonly string[]) => Promise<string>;
  /** One or more targets, line by line. */
  readonly follow: (...args: readonly string[]) => AsyncIterable<string>;
  /** A target that the user works with on the terminal. */
  readonly interact: (target: string) => Promise<void>;
};

/** Runs Buildroot's make for one output folder. */
export const makeRunner = (tree: BuildrootTree, output: string, buildHost: BuildHost): Runner => {
  const { downloads, ccache } = sharedFolders();
  const mirror = process.env['BR2_PRIMARY_SITE'];
  const variables = [
    ...[`O=${output}`, `BR2_EXTERNAL=${externalTree}`, `BR2_DL_DIR=${downloads}`, `BR2_CCACHE_DIR=${ccache}`],
    ...(mirror === undefined ? [] : [`BR2_PRIMARY_SITE=${mirror}`]),
  ];
  const command = (args: readonly string[]) => ['make', '-C', tree.folder, ...variables, ...args];
  return {
    make: (...args) => buildHost.run(command(args)),
    follow: (...args) => buildHost.lines(command(args)),
    interact: (target) => buildHost.interact(command([target])),
  };
};
