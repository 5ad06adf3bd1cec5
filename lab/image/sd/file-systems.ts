import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import type { TreeEntry } from '../../system/packages/deb.ts';
import type { Program, Tools } from '../../system/packages/tools.ts';
import { completeTree, writeTar } from '../layer.ts';

const uuid = '00000000-0000-4000-8000-000000000002';

/** Makes the tools write the same bytes at any time and in any place. */
const reproducible = (tools: Tools): Readonly<Record<string, string>> => ({
  ...{ TZ: 'UTC', SOURCE_DATE_EPOCH: '315532800', E2FSPROGS_FAKE_TIME: '315532800', LC_ALL: 'C.UTF-8' },
  ...{ MTOOLSRC: '/dev/null', MTOOLS_SKIP_CHECK: '1', MKE2FS_CONFIG: path.join(tools.root, 'etc/mke2fs.conf') },
});

/** Runs one of the card tools; none of them has to be root, for they work on files. */
export const runTool = async (
  { file, args }: Program,
  more: readonly string[],
  tools: Tools,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const env = reproducible(tools);
  await execa(file, [...args, ...more], { env, stdin: 'ignore', ...(signal ? { cancelSignal: signal } : {}) });
};

/** A FAT32 file system of `bytes` with files by name, all in its top folder. */
export const writeFat = async (
  target: string,
  bytes: number,
  files: Readonly<Record<string, Buffer>>,
  tools: Tools,
  signal?: AbortSignal,
): Promise<void> => {
  await fs.writeFile(target, '');
  await fs.truncate(target, bytes);
  const make = tools.program('usr/sbin/mkfs.fat', 'mkfs.fat');
  await runTool(make, ['--invariant', '-F', '32', '-n', 'BOOT', target], tools, signal);
  const staging = await fs.mkdtemp(`${target}-`);
  try {
    const epoch = new Date(315_532_800_000);
    const names: string[] = [];
    for (const [name, content] of Object.entries(files)) {
      const file = path.join(staging, name);
      await fs.writeFile(file, content);
      await fs.utimes(file, epoch, epoch);
      names.push(file);
    }
    const copy = tools.program('usr/bin/mtools', 'mcopy');
    await runTool(copy, ['-m', '-i', target, ...names, '::/'], tools, signal);
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
};

/** An ext4 file system of `bytes` with a tree that belongs to root. Rejects when the tree does not fit. */
export const writeExt4 = async (
  target: string,
  bytes: number,
  entries: Iterable<TreeEntry>,
  tools: Tools,
  signal?: AbortSignal,
): Promise<void> => {
  const tar = `${target}.tar`;
  try {
    await writeTar(completeTree(entries), tar);
    const make = tools.program('usr/sbin/mke2fs', 'mke2fs');
    const identity = ['-U', uuid, '-E', `hash_seed=${uuid},root_owner=0:0,lazy_itable_init=1`];
    const args = ['-q', '-F', '-t', 'ext4', '-L', 'root', '-m', '0', ...identity, '-d', tar, target];
    await runTool(make, [...args, `${Math.floor(bytes / 1024)}k`], tools, signal);
  } finally {
    await fs.rm(tar, { force: true });
  }
};
