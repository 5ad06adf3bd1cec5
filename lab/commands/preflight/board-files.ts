import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { folderTree } from '../../image/entries.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { bad, type Check, good } from './check.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Folders of this repository whose files go onto a board as they are. */
const folders = [
  'buildroot/overlay',
  'buildroot/board/virt/overlay',
  'lab/image/debian/overlay',
  'lab/image/debian/systemd',
  'lab/image/sd/overlay',
] as const;

/** Files in them that are symbolic links in the repository; a checkout without links has texts in their place. */
const links: ReadonlySet<string> = new Set(['buildroot/overlay/etc/netmanager']);

const troubleOf = ({ path: name, type, mode, content }: TreeEntry): string | undefined => {
  if (links.has(name) && type !== 'symlink') return 'is no symbolic link';
  if (type !== 'file') return undefined;
  if (content.includes('\r\n')) return 'has the line endings of Windows';
  return content.subarray(0, 2).toString() === '#!' && !(mode & 0o100) ? 'cannot be executed' : undefined;
};

/** What a checkout did to files that go onto a board: the first one and how many more. */
export const boardFilesTrouble = async (repository: string): Promise<string | undefined> => {
  const entries = await Promise.all(folders.map((folder) => folderTree(path.join(repository, folder), folder)));
  const found = entries.flat().flatMap((entry) => {
    const trouble = troubleOf(entry);
    return trouble === undefined ? [] : [`${entry.path} ${trouble}`];
  });
  const more = found.length > 1 ? ` (and ${found.length - 1} more files)` : '';
  return found[0] === undefined ? undefined : `${found[0]}${more}`;
};

/** The files that go onto a board. */
export const boardFiles: Check = {
  name: 'board files',
  need: 'board files',
  look: async () => {
    const trouble = await boardFilesTrouble(await fs.realpath(root));
    return trouble === undefined
      ? good('as they are in the repository')
      : bad(
          trouble,
          'git config core.autocrlf false && git rm -rq --cached . && git reset --hard, on a Linux file system',
        );
  },
};
