import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { fileEntry } from '../entries.ts';
import { completeTree, tarBytes } from '../layer.ts';
import type { Contents } from './contents.ts';
import type { PackageName } from './deb.ts';

const installer = fileURLToPath(new URL('../../../packaging/install', import.meta.url));

/** How `uname -m` calls them. */
const machines = { arm64: 'aarch64', amd64: 'x86_64' } as const;

/**
 * The archive for systems without dpkg: one folder, with `install`, the scripts that it calls, and below `root` what it
 * copies. The same contents give the same bytes.
 */
export const plainPackage = async (
  { version, architecture }: PackageName,
  { entries, conffiles, scripts }: Contents,
): Promise<Buffer> => {
  const inside = [
    fileEntry('install', await fs.readFile(installer), 0o755),
    ...scripts,
    fileEntry('machine', `${machines[architecture]}\n`),
    fileEntry('version', `${version}\n`),
    fileEntry('conffiles', conffiles.map((one) => `${one}\n`).join('')),
    ...entries.map((entry) => ({ ...entry, path: `root/${entry.path}` })),
  ];
  const folder = `oakestra-worker-${version}-${architecture}`;
  return gzipSync(await tarBytes(completeTree(inside.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` })))));
};
