import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { type Pack, pack } from 'tar-stream';
import { cached, cachePath } from '../system/files/cache.ts';
import { fileDigest, sha256 } from '../system/files/digest.ts';
import type { TreeEntry } from '../system/packages/deb.ts';
import type { Tools } from '../system/packages/tools.ts';

/** One read-only part of a root file system; a later layer hides the files of an earlier one. */
export type Layer = { readonly name: string; readonly file: string; readonly sha256: string };

/** What a layer is made of: `key` names all its inputs, `entries` is asked only when it is not in the cache. */
export type LayerRecipe = {
  readonly name: string;
  readonly key: readonly string[];
  readonly entries: () => AsyncIterable<TreeEntry> | Iterable<TreeEntry>;
};

// Changing how layers are written must not serve old ones from a cache.
const format = 'erofs-lz4hc-64k';
const noUuid = '00000000-0000-4000-8000-000000000000';

const byPath = (a: TreeEntry, b: TreeEntry): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

/** Entries by path: the last of several with one path wins, and every folder that a path needs is there. */
export const completeTree = (entries: Iterable<TreeEntry>): readonly TreeEntry[] => {
  const tree = new Map<string, TreeEntry>();
  for (const entry of entries) {
    const known = tree.get(entry.path);
    if (entry.type === 'directory' && known) continue;
    tree.set(entry.path, entry);
  }
  for (const { path } of [...tree.values()]) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const folder = path.slice(0, at);
      if (tree.has(folder)) break;
      tree.set(folder, { path: folder, type: 'directory', mode: 0o755, linkname: '', content: Buffer.alloc(0) });
    }
  }
  return [...tree.values()].toSorted(byPath);
};

const tarOf = (entries: readonly TreeEntry[]): Pack => {
  const archive = pack();
  for (const { path, type, mode, linkname, content } of entries) {
    const header = { name: path, type, mode, mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '' };
    if (type === 'file') archive.entry({ ...header, size: content.length }, content);
    else archive.entry(type === 'directory' ? header : { ...header, linkname });
  }
  archive.finalize();
  return archive;
};

/** The entries as a tar archive, the same bytes for the same entries. */
export const tarBytes = (entries: readonly TreeEntry[]): Promise<Buffer> => buffer(tarOf(entries));

/** Writes what {@link tarBytes} gives to a file. */
export const writeTar = (entries: readonly TreeEntry[], file: string): Promise<void> =>
  pipeline(tarOf(entries), createWriteStream(file));

/** A layer out of the cache, or made and put there. The same inputs give the same bytes. */
export const buildLayer = async (recipe: LayerRecipe, tools: Tools, signal?: AbortSignal): Promise<Layer> => {
  const key = sha256([format, tools.digest, recipe.name, ...recipe.key].join('\n'));
  const file = await cached(
    cachePath('layers', `${recipe.name}-${key.slice(0, 16)}.erofs`),
    async (temporary) => {
      const tar = `${temporary}.tar`;
      await writeTar(completeTree(await Array.fromAsync(recipe.entries())), tar);
      try {
        const mkfs = tools.program('usr/bin/mkfs.erofs');
        const options = ['--quiet', '--tar=f', '-zlz4hc', '-C65536', '-T0', '-U', noUuid, temporary, tar];
        await fs.rm(temporary, { force: true });
        await execa(mkfs.file, [...mkfs.args, ...options], signal ? { cancelSignal: signal } : {});
      } finally {
        await fs.rm(tar, { force: true });
      }
    },
    { signal },
  );
  return { name: recipe.name, file, sha256: await fileDigest(file) };
};
