import fs from 'node:fs/promises';
import path from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };
import type { Architecture } from '../../system/elf.ts';
import { fileDigest } from '../../system/files/digest.ts';
import { openRun } from '../../system/runs.ts';
import { writeArchive } from './archive.ts';
import { packageContents } from './contents.ts';
import { type PackageName, writeDeb } from './deb.ts';

const architectures = { arm64: 'aarch64', amd64: 'x86_64' } as const satisfies Readonly<Record<string, Architecture>>;

/** What dpkg calls the architectures that there are packages for. */
export const packageArchitectures = Object.keys(architectures) as readonly PackageName['architecture'][];

/** A package that was made; `size` is in bytes. */
export type Package = { readonly file: string; readonly sha256: string; readonly size: number };

const put = async (made: string, folder: string): Promise<Package> => {
  const file = path.join(folder, path.basename(made));
  const partial = `${file}.partial`;
  await fs.copyFile(made, partial);
  await fs.rename(partial, file);
  return { file, sha256: await fileDigest(file), size: (await fs.stat(file)).size };
};

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
  const file = path.join(run.folder, `oakestra-worker_${manifest.version}_${architecture}`);
  await writeDeb(name, contents, `${file}.deb`);
  await writeArchive(name, contents, `${file}.tar.gz`);
  await fs.mkdir(folder, { recursive: true });
  return [await put(`${file}.deb`, folder), await put(`${file}.tar.gz`, folder)];
};
