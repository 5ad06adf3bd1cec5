import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileEntry, folderEntry, folderTree, linkEntry } from '../../image/entries.ts';
import { completeTree } from '../../image/layer.ts';
import { sha256 } from '../../system/files/digest.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';

const overlay = fileURLToPath(new URL('../../../buildroot/overlay/', import.meta.url));

/** Where the board sees this computer's own folders. */
const host = '/host';

/** The board's name: a worker's identity towards its cluster. */
export const hostname = 'oakestra-local';

/** Folders of this computer of which the board sees every entry, as a link, unless it has one of its own there. */
const mirrored = ['etc', 'usr', 'usr/bin', 'usr/sbin', 'usr/lib', 'usr/local'] as const;

/** Folders of this computer that the board sees as they are, below {@link host}. */
const shown: readonly string[] = ['etc', 'usr'];

/** Programs that the board has under these names; their files are mounted there. */
export type BoardPrograms = { readonly node: string; readonly wasmtime: string };

/** A board's root file system: what has to be written, and what is mounted over it (from this computer, to the board). */
export type BoardRoot = {
  readonly entries: readonly TreeEntry[];
  readonly binds: readonly (readonly [string, string])[];
  /** SHA-256 over all that the board has of its own. */
  readonly digest: string;
};

/** What the board has of its own. */
const ownEntries = async (worker: string): Promise<readonly TreeEntry[]> => [
  ...mirrored.map((name) => folderEntry(name)),
  ...['dev', 'proc', 'sys', 'mnt', 'old', 'run', 'var/lib', 'var/log', 'var/cache'].map((name) => folderEntry(name)),
  folderEntry('root', 0o700),
  ...['tmp', 'var/tmp'].map((name) => folderEntry(name, 0o1777)),
  linkEntry('var/run', '../run'),
  fileEntry('etc/hostname', `${hostname}\n`),
  fileEntry('etc/hosts', `127.0.0.1 localhost ${hostname}\n::1 localhost ${hostname}\n`),
  fileEntry('etc/resolv.conf', ''),
  ...['usr/bin/node', 'usr/bin/wasmtime'].map((name) => fileEntry(name, '')),
  ...(await folderTree(overlay)),
  ...(await folderTree(worker)).map((entry) => ({ ...entry, path: `usr/lib/oakestra/${entry.path}` })),
];

/** Links to what stands in a folder of this computer. */
const linksInto = async (folder: string): Promise<readonly TreeEntry[]> =>
  (await fs.readdir(`/${folder}`).catch(() => [])).map((name) =>
    linkEntry(path.join(folder, name), path.join(host, folder, name)),
  );

/** The folders at the top that hold programs and libraries: links into /usr as a rule, folders on older systems. */
const topFolders = async (): Promise<{ readonly links: readonly TreeEntry[]; readonly folders: readonly string[] }> => {
  const found = (await fs.readdir('/', { withFileTypes: true })).filter(({ name }) => /^(s?bin|lib.*)$/.test(name));
  const links = found.filter((entry) => entry.isSymbolicLink());
  return {
    links: await Promise.all(links.map(async ({ name }) => linkEntry(name, await fs.readlink(`/${name}`)))),
    folders: found.filter((entry) => entry.isDirectory()).map(({ name }) => name),
  };
};

/**
 * A root file system that looks like a board's: this computer's programs by links, the worker and its start scripts
 * where an image has them, and everything that is written to as folders of its own. The worker's bundles lie in
 * `worker`; `visible` are further folders of this computer, seen at their own paths.
 */
export const boardRoot = async (
  worker: string,
  programs: BoardPrograms,
  visible: readonly string[],
): Promise<BoardRoot> => {
  const entries = completeTree(await ownEntries(worker));
  const taken = new Set(entries.map((entry) => entry.path));
  const links = (await Promise.all(mirrored.map(linksInto))).flat().filter((entry) => !taken.has(entry.path));
  const top = await topFolders();
  return {
    entries: [...entries, ...links, ...top.links],
    binds: [
      ...[...shown, ...top.folders.filter((name) => !taken.has(name))].map(
        (name) => [`/${name}`, shown.includes(name) ? `host/${name}` : name] as const,
      ),
      [programs.node, 'usr/bin/node'],
      [programs.wasmtime, 'usr/bin/wasmtime'],
      ...visible.map((folder) => [folder, folder.slice(1)] as const),
    ],
    digest: sha256(entries.map((one) => `${one.path} ${one.mode} ${one.linkname} ${sha256(one.content)}`).join('\n')),
  };
};

/**
 * Writes entries below `root`, which is an empty folder. There are some two thousand of them: with an await each they
 * would take five times as long.
 */
export const writeTree = (root: string, entries: readonly TreeEntry[]): void => {
  for (const { path: name, type, mode, linkname, content } of entries) {
    const target = path.join(root, name);
    mkdirSync(type === 'directory' ? target : path.dirname(target), { recursive: true });
    if (type === 'directory') chmodSync(target, mode);
    else if (type === 'symlink') symlinkSync(linkname, target);
    else writeFileSync(target, content, { mode });
  }
};
