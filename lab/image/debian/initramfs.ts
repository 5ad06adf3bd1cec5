import fs from 'node:fs/promises';
import path from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { writeCpio } from '../cpio.ts';
import { fileEntry, folderEntry, linkEntry } from '../entries.ts';
import { completeTree } from '../layer.ts';
import type { Kernel } from './modules.ts';

/** Mounts the layers (block devices whose serial number is `layer<N>`) under one writable root and starts its init. */
const init = (early: readonly string[]): string => `#!/bin/sh
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
${early.map((module) => `insmod /${module}`).join('\n')}
lower=
for disk in /sys/block/vd*; do
	layer=$(cat "$disk/serial")
	mkdir -p "/layers/$layer"
	mount -t erofs -o ro "/dev/\${disk##*/}" "/layers/$layer" || continue
	lower="/layers/$layer\${lower:+:$lower}"
done
mount -t tmpfs -o mode=0755 tmpfs /writable
mkdir /writable/upper /writable/work
mount -t overlay -o "lowerdir=$lower,upperdir=/writable/upper,workdir=/writable/work" overlay /root || exec sh
umount /sys
mount -o move /proc /root/proc
mount -o move /dev /root/dev
exec switch_root /root /sbin/init
`;

const applets = ['sh', 'mount', 'umount', 'insmod', 'mkdir', 'cat', 'switch_root'];

/** The small file system that the kernel starts from: busybox, the first modules, and a script. */
export const buildInitramfs = async (busybox: Buffer, kernel: Kernel): Promise<Buffer> => {
  const modules = await Promise.all(
    kernel.early.map(async (file) => fileEntry(file, await fs.readFile(path.join(kernel.modules, file)))),
  );
  const entries = completeTree([
    ...['dev', 'proc', 'sys', 'root', 'layers', 'writable'].map((name) => folderEntry(name)),
    fileEntry('bin/busybox', busybox, 0o755),
    ...applets.map((name) => linkEntry(`bin/${name}`, 'busybox')),
    ...modules,
    fileEntry('init', init(kernel.early), 0o755),
  ]);
  return zstdCompressSync(writeCpio(entries));
};
