import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Type, { type Static } from 'typebox';
import { cachePath } from '../../system/files/cache.ts';

/** The external tree in this repository. */
export const externalTree: string = fileURLToPath(new URL('../../../buildroot', import.meta.url));

/** Where the daemons' bundles are, which the external tree's package takes. */
export const workerBundle: string = path.join(externalTree, '../dist/worker');

/** Boards that the external tree has a configuration for. */
export const buildrootBoards = { virt: 'oakestra_virt_defconfig', raspi4: 'oakestra_raspi4_64_defconfig' } as const;
export type BuildrootBoard = keyof typeof buildrootBoards;

/** Where a board's build goes on from: Buildroot's output folder, in the cache. */
export const outputFolder = (board: BuildrootBoard): string => cachePath('buildroot', board);

/** Files that a build leaves beside Buildroot's own. */
export const builtFiles = {
  provenance: 'lab-provenance.json',
  /** The bill of materials, as `make show-info` writes it. */
  packages: 'images/packages.json',
  logs: 'lab-logs',
  defconfig: 'lab_defconfig',
  savedDefconfig: 'lab_saved_defconfig',
} as const;

/** What an output was built from. */
export const Provenance = Type.Object({
  buildroot: Type.String(),
  board: Type.String(),
  inputs: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.Optional(Type.String()),
      sha256: Type.Optional(Type.String()),
      detail: Type.Optional(Type.String()),
    }),
  ),
});
export type Provenance = Static<typeof Provenance>;

/** A file among the images that a build makes. */
export const imageFile = (output: string, name: string): string => path.join(output, 'images', name);
