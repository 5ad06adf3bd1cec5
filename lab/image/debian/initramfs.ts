import fs from 'node:fs/promises';
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { writeCpio } from '../cpio.ts';
import { fileEntry, folderEntry, linkEntry } from '../entries.ts';
import { completeTree } from '../layer.ts';
import type { Kernel } from './modules.ts';

/** Where an initramfs finds the root file system. `disks` and `device` are patterns of the shell. */
export type RootSource =
  /** Read-only layers under a writable one in memory, one a block device, in the order of their names. */
  | { readonly kind: 'layers'; readonly disks: string; readonly count: number }
  /** One writable file system. */
  | { readonly kind: 'disk'; readonly device: string };

const mountLayers = (disks: string, count: number): string => `await ${count} '${disks}'
lower=
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
${root.kind === 'layers' ? mountLayers(root.disks, root.count) : mountDisk(root.device)}
umount /sys
mount -o move /proc /root/proc
mount -o move /dev /root/dev
exec switch_root /root /sbin/init
`;

const applets = ['sh', 'mount', 'umount', 'insmod', 'mkdir', 'seq', 'sleep', 'switch_root'];

/** The small file system that the kernel starts from: busybox, the first modules, and a script. */
export const buildInitramfs = async (busybox: Buffer, kernel: Kernel, root: RootSource): Promise<Buffer> => {
  const modules = await Promise.all(
    kernel.early.map(async (file) => fileEntry(file, await fs.readFile(path.join(kernel.modules, file)))),
  );
  const entries = completeTree([
    ...['dev', 'proc', 'sys', 'root', 'layers', 'writable'].map((name) => folderEntry(name)),
    fileEntry('bin/busybox', busybox, 0o755),
    ...applets.map((name) => linkEntry(`bin/${name}`, 'busybox')),
    ...modules,
    fileEntry('init', init(kernel.early, root), 0o755),
  ]);
  return zstdCompressSync(writeCpio(entries));
};
