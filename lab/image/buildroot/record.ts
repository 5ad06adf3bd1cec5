import path from 'node:path';
import type { Input } from '../../report/model/results.ts';
import { writeAtomically } from '../../system/files/cache.ts';
import { fileDigest, sha256 } from '../../system/files/digest.ts';
import { folderTree } from '../entries.ts';
import type { ListedPackages } from './configure.ts';
import { type BuildrootBoard, builtFiles, type Provenance, workerBundle } from './output.ts';
import type { StandIns } from './standins.ts';
import type { BuildrootTree } from './tree.ts';

/** What the packages were made from: their downloads by digest, except where something else takes their place. */
const sourcesOf = async ({ packages }: ListedPackages, { inputs }: StandIns, downloads: string): Promise<Input[]> => {
  const replaced = new Set(inputs.map(({ name }) => name));
  const sources: Input[] = [];
  for (const [name, { version, dl_dir, downloads: files = [] }] of Object.entries(packages)) {
    if (replaced.has(`stand-in ${name}`)) continue;
    for (const { source } of files) {
      const digest = await fileDigest(path.join(downloads, dl_dir ?? name, source)).catch(() => undefined);
      if (digest !== undefined)
        sources.push({ name: `source ${name}`, sha256: digest, detail: source, ...(version ? { version } : {}) });
    }
  }
  return sources;
};

const bundleDigest = async (): Promise<string> =>
  sha256((await folderTree(workerBundle)).map(({ path: name, content }) => `${name} ${sha256(content)}`).join('\n'));

/** Writes beside a built image what it was built from: its bill of materials and every source. */
export const recordBuild = async (built: {
  readonly output: string;
  readonly board: BuildrootBoard;
  readonly tree: BuildrootTree;
  readonly standIns: StandIns;
  /** What the place that it was built in is made from. */
  readonly buildHost: readonly Input[];
  readonly list: ListedPackages;
  readonly downloads: string;
}): Promise<void> => {
  const { output, board, tree, standIns, buildHost, list, downloads } = built;
  const provenance: Provenance = {
    buildroot: tree.version,
    board,
    inputs: [
      { name: 'buildroot', version: tree.version, detail: tree.pinned ? 'pinned by commit' : 'a tree of the user' },
      { name: 'source oakestra-worker', sha256: await bundleDigest(), detail: 'bundled from this repository' },
      ...buildHost,
      ...standIns.inputs,
      ...(await sourcesOf(list, standIns, downloads)),
    ],
  };
  await writeAtomically(path.join(output, builtFiles.packages), list.text);
  await writeAtomically(path.join(output, builtFiles.provenance), `${JSON.stringify(provenance, undefined, 2)}\n`);
};
