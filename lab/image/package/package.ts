import fs from 'node:fs/promises';
import path from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };
import type { Architecture } from '../../system/elf.ts';
import { writeAtomically } from '../../system/files/cache.ts';
import { sha256 } from '../../system/files/digest.ts';
import { openRun } from '../../system/runs.ts';
import { plainPackage } from './archive.ts';
import { packageContents } from './contents.ts';
import { debPackage, type PackageName } from './deb.ts';

const architectures = { arm64: 'aarch64', amd64: 'x86_64' } as const satisfies Readonly<Record<string, Architecture>>;

/** What dpkg calls the architectures that there are packages for. */
export const packageArchitectures = Object.keys(architectures) as readonly PackageName['architecture'][];

/** A package that was made; `size` is in bytes. */
export type Package = { readonly file: string; readonly sha256: string; readonly size: number };

/**
 * Makes the worker's packages for one architecture in `folder`: a `.deb` and a `.tar.gz`. Made again out of the same
 * sources they are the same bytes.
 */
export const buildPackages = async (
  architecture: PackageName['architecture'],
  folder: string,
  signal: AbortSignal,
): Promise<readonly Package[]> => {
  await using stack = new AsyncDisposableStack();
  const run = stack.use(await openRun(`the packages for ${architecture}`));
  const contents = await packageContents(architectures[architecture], run.folder, signal);
  const name = { version: manifest.version, architecture };
  const file = path.join(folder, `oakestra-worker_${manifest.version}_${architecture}`);
  await fs.mkdir(folder, { recursive: true });
  const made: Package[] = [];
  for (const [ending, make] of [
    ['.deb', debPackage],
    ['.tar.gz', plainPackage],
  ] as const) {
    const bytes = await make(name, contents);
    await writeAtomically(`${file}${ending}`, bytes);
    made.push({ file: `${file}${ending}`, sha256: sha256(bytes), size: bytes.length });
  }
  return made;
};
