import fs from 'node:fs/promises';
import path from 'node:path';
import { cacheInitramfs } from '../../../../lab/image/debian/build.ts';
import { buildInitramfs } from '../../../../lab/image/debian/initramfs.ts';
import modules from '../../../../lab/image/debian/modules.json' with { type: 'json' };
import { type Kernel, unpackKernel } from '../../../../lab/image/debian/modules.ts';
import { gatherParts } from '../../../../lab/image/debian/parts.ts';
import { fileEntry, folderTree } from '../../../../lab/image/entries.ts';
import type { BootImage } from '../../../../lab/image/image.ts';
import { writeExt4 } from '../../../../lab/image/sd/file-systems.ts';
import type { Machine } from '../../../../lab/machine/machine.ts';
import { virt } from '../../../../lab/machine/qemu/definitions.ts';
import { startEmulated } from '../../../../lab/machine/qemu/qemu.ts';
import { userNetwork } from '../../../../lab/machine/user-network.ts';
import { cached, cachePath } from '../../../../lab/system/files/cache.ts';
import { sha256 } from '../../../../lab/system/files/digest.ts';
import type { TreeEntry } from '../../../../lab/system/packages/deb.ts';
import { fetchSet } from '../../../../lab/system/packages/fetch.ts';
import { fetchTools } from '../../../../lab/system/packages/tools.ts';
import type { RunFolder } from '../../../../lab/system/runs.ts';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { unpackedTree } from './database.ts';

/** How long the system may take to end, in ms on native hardware. */
const endMs = 12_000;
const mebibyte = 1024 ** 2;
const diskBytes = 1024 * mebibyte;

/** What debian-installer would leave: a user database to begin with, a name, and an uplink. */
const settings = (): Readonly<Record<string, string>> => ({
  'etc/hostname': 'debian-guest\n',
  'etc/hosts': '127.0.0.1 localhost\n127.0.1.1 debian-guest\n',
  'etc/machine-id': `${'0'.repeat(31)}1\n`,
  'etc/fstab': '/dev/vda / ext4 defaults 0 1\n',
  'etc/systemd/network/10-uplink.network':
    `[Match]\nDriver=virtio_net\n\n[Network]\n` +
    `Address=${userNetwork.board}/${userNetwork.prefix}\nGateway=${userNetwork.lab}\n`,
});

/** The first process at the first boot: has dpkg configure what is unpacked, and makes way for systemd. */
const first = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
dpkg --force-unsafe-io --configure -a >/var/log/configure.log 2>&1 </dev/null || { cat /var/log/configure.log; exit 1; }
systemctl enable systemd-networkd.service systemd-networkd-wait-online.service
ln -sf ../lib/systemd/systemd /usr/sbin/init.systemd
mv -f /usr/sbin/init.systemd /usr/sbin/init
umount /run /sys
exec /usr/sbin/init
`;

const masters = ['passwd', 'group'].map((name) => [`usr/share/base-passwd/${name}.master`, `etc/${name}`] as const);

const treeOf = async (packages: readonly string[], kernel: Kernel): Promise<readonly TreeEntry[]> => {
  const tree = await unpackedTree(packages);
  const users = tree.flatMap((entry) => {
    const [, name] = masters.find(([master]) => master === entry.path) ?? [];
    return name === undefined ? [] : [fileEntry(name, entry.content)];
  });
  return [
    ...tree,
    ...users,
    ...(await folderTree(kernel.modules)),
    ...Object.entries(settings()).map(([name, text]) => fileEntry(name, text)),
    fileEntry('usr/sbin/init', first, 0o755),
  ];
};

/** What a Debian guest boots from, but for the card. */
type Boot = Omit<BootImage, 'card'>;

/** A run's machine with this card, on which the guest's writes stay. */
export const bootGuest = (
  image: Boot,
  card: string,
  run: Pick<RunFolder, 'id' | 'folder' | 'env' | 'lock'>,
  signal: AbortSignal,
  definition = virt,
): Promise<Machine> => startEmulated({ definition, image: { ...image, card, keepsWrites: true }, run, signal });

/** Ends a machine as its own system does, so that nothing is left unwritten. */
export const powerOff = async (machine: Machine, signal: AbortSignal): Promise<void> => {
  // the answer may be lost with the machine
  await machine.exec(['systemctl', 'poweroff'], { signal }).catch(() => undefined);
  await until(() => machine.lost.aborted || undefined, deadline(endMs * machine.timeoutFactor, 'power-off', signal));
};

/** Configuring a hundred packages under emulation takes minutes. */
const configuring = { ...virt, slowness: 5 * virt.slowness };

/**
 * A Debian system for arm64 out of locked packages, with its own dpkg and systemd as init, on a card. The first time dpkg
 * configures the packages in a boot of their own; the card of after that is kept in the cache.
 */
export const debianGuest = async (
  run: Pick<RunFolder, 'id' | 'folder' | 'env' | 'lock'>,
  signal: AbortSignal,
): Promise<{ readonly image: Boot; readonly card: string }> => {
  const [parts, system, kernels, tools] = await Promise.all([
    gatherParts('virt', undefined, () => {}, signal),
    fetchSet('debian-guest', undefined, signal),
    fetchSet('kernel-virt', undefined, signal),
    fetchTools('card-tools', undefined, signal),
  ]);
  const [kernelPackage] = kernels.packages;
  if (!kernelPackage) throw new Error('the lock has no kernel');
  const wanted = {
    early: ['virtio_blk', 'crc32c_generic', 'ext4'],
    modules: [...modules.shared.modules, ...modules.virt.modules],
  };
  const kernel = await unpackKernel(kernelPackage, wanted, parts.tools, signal);
  const archive = await buildInitramfs(parts.busybox, kernel, { kind: 'disk', device: '/dev/vda' });
  const initramfs = await cacheInitramfs(archive, signal);
  const digests = [...system.packages, kernelPackage].map((one) => one.sha256);
  const key = sha256(JSON.stringify([digests, wanted, initramfs.sha256, tools.digest, first, settings(), diskBytes]));
  const image: Boot = {
    ...{ name: 'debian-guest', digest: key, kernel: kernel.image, initramfs: initramfs.file },
    ...{ layers: [], bytes: diskBytes, inputs: [], unlocked: system.unlocked },
    wasmtimeVersion: parts.wasmtime.version,
  };
  const card = await cached(
    cachePath('guests', `${key.slice(0, 16)}.img`),
    async (temporary) => {
      await fs.rm(temporary, { force: true });
      const packages = system.packages.map(({ file }) => file);
      await writeExt4(temporary, diskBytes, await treeOf(packages, kernel), tools, signal);
      await using machine = await bootGuest(image, temporary, run, signal, configuring);
      await powerOff(machine, signal);
    },
    { signal },
  );
  const copy = path.join(run.folder, 'card.img');
  await fs.copyFile(card, copy, fs.constants.COPYFILE_FICLONE);
  return { image, card: copy };
};
