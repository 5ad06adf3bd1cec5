import { fileURLToPath } from 'node:url';
import type { Architecture } from '../../system/elf.ts';
import { sha256 } from '../../system/files/digest.ts';
import { packageTree, type TreeEntry } from '../../system/packages/deb.ts';
import type { FetchedSet } from '../../system/packages/fetch.ts';
import { fileEntry, folderEntry, folderTree, linkEntry } from '../entries.ts';
import type { LayerRecipe } from '../layer.ts';
import { nodeIntegrity } from '../node-program.ts';
import { strip } from '../strip.ts';
import { workerEntries } from '../worker-entries.ts';
import applets from './busybox.json' with { type: 'json' };
import type { Kernel } from './modules.ts';
import type { Parts } from './parts.ts';

const here = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const isOfNoUse =
  /^(etc\/(init\.d|default|systemd|apparmor\.d|pam\.d|security|ld\.so\.conf\.d|ldap|X11|cron[^/]*)|usr\/share(?!\/iproute2)|usr\/lib\/(systemd|udev|tmpfiles\.d|sysusers\.d|[^/]+\/(gconv|ossl-modules|engines-3))|usr\/include|var)(\/|$)/;

/** Folders, and the links that maintainer scripts would make: none of them is ever run. */
const skeleton = (architecture: Architecture): readonly TreeEntry[] => [
  ...['dev', 'proc', 'sys', 'run', 'mnt', 'var/log', 'var/lib', 'var/cache'].map((name) => folderEntry(name)),
  folderEntry('root', 0o700),
  ...['tmp', 'var/tmp'].map((name) => folderEntry(name, 0o1777)),
  linkEntry('var/run', '/run'),
  ...['bin', 'sbin', 'lib'].map((name) => linkEntry(name, `usr/${name}`)),
  // where programs for x86-64 have their loader
  ...(architecture === 'x86_64' ? [linkEntry('lib64', 'usr/lib64')] : []),
  ...applets.map((name) => linkEntry(`usr/bin/${name}`, '/usr/bin/busybox')),
  linkEntry('usr/sbin/init', '/usr/bin/busybox'),
  // Debian's busybox shell runs its own applets before PATH, and its `ip` knows no namespaces
  linkEntry('usr/bin/sh', 'dash'),
];

/** What a board needs of a set's packages. */
export async function* packageEntries(
  { packages }: FetchedSet,
  keep: (path: string) => boolean = (path) => !isOfNoUse.test(path),
): AsyncGenerator<TreeEntry> {
  for (const { file } of packages) yield* packageTree(file, keep);
}

/** Userland and Node. Packages win over busybox where both have a program. */
export const systemLayer = ({ architecture, userland, node, binutils }: Parts): LayerRecipe => ({
  name: 'system',
  key: [
    ...userland.packages.map(({ sha256 }) => sha256),
    ...[nodeIntegrity(architecture), sha256(JSON.stringify(skeleton(architecture))), binutils.digest],
  ],
  entries: async function* () {
    yield* skeleton(architecture);
    yield* packageEntries(userland);
    yield fileEntry('usr/bin/node', await strip(node, binutils), 0o755);
  },
});

/** The kernel's modules, and which of them are loaded at boot. */
export const kernelLayer = (kernel: Kernel, load: readonly string[]): LayerRecipe => ({
  name: 'kernel',
  key: [kernel.modules, ...load],
  entries: async function* () {
    yield* await folderTree(kernel.modules);
    yield fileEntry('etc/modules', `${load.join('\n')}\n`);
  },
});

/** wasmtime as it is started on the board. */
export const wasmtimeLayer = ({ wasmtime, binutils }: Parts): LayerRecipe => ({
  name: 'wasmtime',
  key: [wasmtime.sha256, binutils.digest],
  entries: async function* () {
    yield fileEntry('usr/bin/wasmtime', await strip(wasmtime.file, binutils), 0o755);
  },
});

/** Files of an image's own, by absolute path. */
export const filesLayer = (files: Readonly<Record<string, string>>): LayerRecipe =>
  entriesLayer(
    'files',
    Object.entries(files).map(([file, text]) => fileEntry(file.slice(1), text)),
  );

/** A layer of given entries. */
export const entriesLayer = (name: string, entries: readonly TreeEntry[]): LayerRecipe => ({
  name,
  key: entries.map(keyOf),
  entries: () => entries,
});

/** What a layer's key says of an entry. */
export const keyOf = ({ path, mode, content, linkname }: TreeEntry): string =>
  `${path} ${mode} ${linkname} ${sha256(content)}`;

/** The worker, its start scripts and default configuration, and what this image has of its own. */
export const workerLayer = async (workspace: string, hostname: string): Promise<LayerRecipe> => {
  const entries: readonly TreeEntry[] = [
    ...(await folderTree(here('../../../buildroot/board/virt/overlay'))),
    ...(await folderTree(here('overlay'))),
    ...(await workerEntries(workspace)),
    fileEntry('etc/hostname', `${hostname}\n`),
  ];
  return {
    name: 'worker',
    key: entries.map(keyOf),
    entries: () => entries,
  };
};
