import { createHash } from 'node:crypto';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { fileEntry } from '../entries.ts';
import { completeTree, tarBytes } from '../layer.ts';
import { arArchive } from './ar.ts';
import type { Contents } from './contents.ts';

/** What a package is called. */
export type PackageName = { readonly version: string; readonly architecture: 'arm64' | 'amd64' };

/** Node's own, and the programs that the worker calls (`docs/worker.md`). */
const depends = {
  arm64: 'libc6 (>= 2.28), libstdc++6, libatomic1, iproute2, nftables, util-linux',
  amd64: 'libc6 (>= 2.28), libstdc++6, iproute2, nftables, util-linux',
} as const;

/** More takes ten times as long for a tenth of the size. */
const zstdLevel = 10;

const control = ({ version, architecture }: PackageName, files: readonly TreeEntry[]): string =>
  `Package: oakestra-worker
Version: ${version}
Architecture: ${architecture}
Maintainer: Oakestra Wasm Lab
Installed-Size: ${Math.ceil(files.reduce((sum, { content }) => sum + content.length, 0) / 1024)}
Depends: ${depends[architecture]}
Section: net
Priority: optional
Description: Oakestra worker for WebAssembly services
 NodeEngine runs WebAssembly components for an Oakestra cluster, and NetManager
 gives each of them its network. Node and wasmtime are inside.
`;

const md5sums = (files: readonly TreeEntry[]): string =>
  files
    .filter(({ type }) => type === 'file')
    .map(({ path, content }) => `${createHash('md5').update(content).digest('hex')}  ${path}\n`)
    .join('');

/** The Debian package (deb(5)). The same contents give the same bytes. */
export const debPackage = async (name: PackageName, { entries, conffiles, scripts }: Contents): Promise<Buffer> => {
  const tree = entries.filter(({ path }) => !path.startsWith('etc/init.d'));
  const described = completeTree([
    fileEntry('control', control(name, tree)),
    fileEntry('conffiles', conffiles.map((one) => `${one}\n`).join('')),
    fileEntry('md5sums', md5sums(tree)),
    ...scripts,
  ]);
  const tarOf = (content: readonly TreeEntry[]): Promise<Buffer> =>
    tarBytes(content.map((entry) => ({ ...entry, path: `./${entry.path}` })));
  const level = { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } };
  return arArchive([
    { name: 'debian-binary', content: Buffer.from('2.0\n') },
    { name: 'control.tar.gz', content: gzipSync(await tarOf(described)) },
    { name: 'data.tar.zst', content: zstdCompressSync(await tarOf(tree), level) },
  ]);
};
