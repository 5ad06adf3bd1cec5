import fs from 'node:fs/promises';
import path from 'node:path';
import type { TreeEntry } from '../system/packages/deb.ts';

/** A file for a root file system. */
export const fileEntry = (name: string, content: string | Buffer, mode = 0o644): TreeEntry => ({
  path: name,
  type: 'file',
  mode,
  linkname: '',
  content: Buffer.isBuffer(content) ? content : Buffer.from(content),
});

/** A symbolic link for a root file system. */
export const linkEntry = (name: string, target: string): TreeEntry => ({
  path: name,
  type: 'symlink',
  mode: 0o777,
  linkname: target,
  content: Buffer.alloc(0),
});

/** A folder for a root file system. */
export const folderEntry = (name: string, mode = 0o755): TreeEntry => ({
  path: name,
  type: 'directory',
  mode,
  linkname: '',
  content: Buffer.alloc(0),
});

/**
 * A folder of this repository as entries, in the order of names. Only whether its owner may execute a file is taken
 * over from its mode: the rest depends on the umask of whoever cloned.
 */
export const folderTree = async (folder: string, prefix = ''): Promise<readonly TreeEntry[]> => {
  const found = (await fs.readdir(folder, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const entries: TreeEntry[] = [];
  for (const item of found) {
    const [file, name] = [path.join(folder, item.name), path.join(prefix, item.name)];
    if (item.isDirectory()) entries.push(folderEntry(name), ...(await folderTree(file, name)));
    else if (item.isSymbolicLink()) entries.push(linkEntry(name, await fs.readlink(file)));
    else entries.push(fileEntry(name, await fs.readFile(file), (await fs.stat(file)).mode & 0o100 ? 0o755 : 0o644));
  }
  return entries;
};
