import fs from 'node:fs/promises';
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { writeCpio } from '../cpio.ts';
import { fileEntry, folderEntry, linkEntry } from '../entries.ts';
import { completeTree } from '../layer.ts';
import type { Kernel } from './modules.ts';

/** Where an initramfs finds the root file system. `disks` and `device` are patterns of the shell. */
export type RootSource =
  /** Read-only layers under a writable one in memory, one a block device, in the order of their names. */
  | { readonly kind: 'layers'; readonly disks: string; readonly count: number }
  /** The same, one a file of the initramfs itself. */
  | { readonly kind: 'files'; readonly files: string }
  /** One writable file system. */
  | { readonly kind: 'disk'; readonly device: string };

const mountLayers = (disks: string): string => `lower=
for disk in ${disks}; do
	name=\${disk##*/}
	mkdir -p "/layers/$name"
	mount -t erofs -o ro "$disk" "/layers/$name" || continue
	lower="/layers/$name\${lower:+:$lower}"
done
mount -t tmpfs -o mode=0755 tmpfs /writable
mkdir /writable/upper /writable/work
mount -t overlay -o "lowerdir=$lower,upperdir=/writable/upper,workdir=/writable/work" overlay /root || exec sh`;

const mountDisk = (device: string): string => `await 1 '${device}'
mount -t ext4 -o noatime ${device} /root || exec sh`;

const mountRoot = (root: RootSource): string => {
  switch (root.kind) {
    case 'layers':
      return `await ${root.count} '${root.disks}'\n${mountLayers(root.disks)}`;
    case 'files':
      return mountLayers(root.files);
    case 'disk':
      return mountDisk(root.device);
  }
};

const init = (early: readonly string[], root: RootSource): string => `#!/bin/sh
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
${early.map((module) => `insmod /${module}`).join('\n')}
# await COUNT PATTERN: until so many block devices are there, but not for ever
await() {
	for _ in $(seq 600); do
		found=0
		for device in $2; do [ -b "$device" ] && found=$((found + 1)); done
		[ "$found" -ge "$1" ] && return
		sleep 0.05
	done
}
${mountRoot(root)}
umount /sys
mount -o move /proc /root/proc
mount -o move /dev /root/dev
exec switch_root /root /sbin/init
`;

const applets = ['sh', 'mount', 'umount', 'insmod', 'mkdir', 'seq', 'sleep', 'switch_root'];

/** The small file system that the kernel starts from: busybox, the first modules, and a script. */
export const buildInitramfs = async (busybox: Buffer, kernel: Kernel, root: RootSource): Promise<Buffer> =>
  zstdCompressSync(writeCpio(await initramfsEntries(busybox, kernel, root)));

/** What that file system consists of. */
export const initramfsEntries = async (
  busybox: Buffer,
  kernel: Kernel,
  root: RootSource,
): Promise<readonly TreeEntry[]> => {
  const modules = await Promise.all(
    kernel.early.map(async (file) => fileEntry(file, await fs.readFile(path.join(kernel.modules, file)))),
  );
  return completeTree([
    ...['dev', 'proc', 'sys', 'root', 'layers', 'writable'].map((name) => folderEntry(name)),
    fileEntry('bin/busybox', busybox, 0o755),
    ...applets.map((name) => linkEntry(`bin/${name}`, 'busybox')),
    ...modules,
    fileEntry('init', init(kernel.early, root), 0o755),
  ]);
};
