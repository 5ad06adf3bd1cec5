import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { labFault } from '../../system/errors.ts';
import { cached, cachePath } from '../../system/files/cache.ts';
import { sha256 } from '../../system/files/digest.ts';
import { packageTree, type TreeEntry } from '../../system/packages/deb.ts';
import { fetchSet } from '../../system/packages/fetch.ts';
import { fetchTools } from '../../system/packages/tools.ts';
import { openRun } from '../../system/runs.ts';
import { writeCard } from '../card/card.ts';
import { buildInitramfs } from '../debian/initramfs.ts';
import { kernelLayer, packageEntries, systemLayer, wasmtimeLayer, workerLayer } from '../debian/layers.ts';
import modules from '../debian/modules.json' with { type: 'json' };
import { gatherParts, type Parts } from '../debian/parts.ts';
import { folderTree, linkEntry } from '../entries.ts';
import { writeExt4, writeFat } from './file-systems.ts';
import { type BoardSettings, settingsEntries } from './settings.ts';

const mebibyte = 1024 ** 2;
const bootBytes = 64 * mebibyte;
// with the boot partition and the partition table just below 512 MiB
const rootBytes = 446 * mebibyte;

const overlay = fileURLToPath(new URL('overlay', import.meta.url));

/** What the firmware reads (Raspberry Pi: config.txt). With the serial line on, it keeps the core clock steady. */
const config = `arm_64bit=1
enable_uart=1
kernel=kernel8.img
device_tree=bcm2711-rpi-4-b.dtb
initramfs initramfs8 followkernel
`;

const commandLine = 'console=tty0 console=ttyS1,115200 quiet panic=10\n';

/** The firmware's own files, and what their copyright holders want to come with them. */
const firmwareFiles: Readonly<Record<string, string>> = {
  'usr/lib/raspi-firmware/start4.elf': 'start4.elf',
  'usr/lib/raspi-firmware/fixup4.dat': 'fixup4.dat',
  'usr/share/doc/raspi-firmware/copyright': 'LICENCE.firmware.txt',
};

/** Firmware of the board's wireless chip. */
const isWirelessFirmware = (name: string): boolean => /^usr\/lib\/firmware\/.*43455/.test(name);

/** What wireless channels each country allows: Debian chooses between two signers' files by such links. */
const regulatory = ['regulatory.db', 'regulatory.db.p7s'];

const bootFiles = async (parts: Parts, firmware: readonly string[]): Promise<Readonly<Record<string, Buffer>>> => {
  const { kernel, busybox } = parts;
  if (kernel.deviceTree === undefined) throw new Error('the kernel was unpacked without its device tree');
  const files: Record<string, Buffer> = {
    'config.txt': Buffer.from(config),
    'cmdline.txt': Buffer.from(commandLine),
    'kernel8.img': await fs.readFile(kernel.image),
    'bcm2711-rpi-4-b.dtb': await fs.readFile(kernel.deviceTree),
    initramfs8: await buildInitramfs(busybox, kernel, { kind: 'disk', device: '/dev/mmcblk?p2' }),
  };
  for (const file of firmware)
    for await (const entry of packageTree(file, (name) => Object.hasOwn(firmwareFiles, name))) {
      const name = firmwareFiles[entry.path];
      if (name !== undefined) files[name] = entry.content;
    }
  for (const name of Object.values(firmwareFiles))
    if (!files[name]) throw labFault(`the firmware packages have no ${name}`);
  return files;
};

/** A card's image: its file, and the digests of what went into it. */
export type BoardCard = {
  readonly file: string;
  readonly parts: Parts;
  readonly unlocked: readonly string[];
};

/**
 * The card of a Raspberry Pi 4 as a file: a FAT partition with firmware, kernel and device tree, and an ext4 root
 * partition, made without root. The same inputs and settings give the same bytes. A card with settings may hold
 * secrets and is readable by its owner only.
 */
export const buildBoardCard = async (options: {
  readonly settings: BoardSettings;
  readonly wasmtime?: string | undefined;
  readonly say?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<BoardCard> => {
  const { settings, wasmtime, say = () => {}, signal } = options;
  await using stack = new AsyncDisposableStack();
  const { folder: workspace } = stack.use(await openRun('the card of raspi4'));
  const [parts, tools, userland, firmware] = await Promise.all([
    gatherParts('raspi4', wasmtime, say, signal),
    fetchTools('card-tools', undefined, signal),
    fetchSet('userland-raspi4', undefined, signal),
    fetchSet('firmware-raspi4', undefined, signal),
  ]);
  const worker = path.join(workspace, 'worker');
  const recipes = [
    systemLayer(parts),
    kernelLayer(parts.kernel, [...parts.load, ...modules.raspi4.hardware]),
    wasmtimeLayer(parts),
    await workerLayer(worker, 'oakestra-raspi4'),
  ];
  const own: readonly TreeEntry[] = [
    ...(await folderTree(overlay)),
    ...regulatory.map((name) => linkEntry(`usr/lib/firmware/${name}`, `${name}-debian`)),
    ...settingsEntries(settings),
  ];
  const boot = await bootFiles(
    parts,
    firmware.packages.map(({ file }) => file),
  );
  const key = sha256(
    JSON.stringify([
      ...recipes.flatMap((recipe) => recipe.key),
      ...[...userland.packages, ...firmware.packages].map((entry) => entry.sha256),
      ...own.map(({ path: name, mode, linkname, content }) => [name, mode, linkname, sha256(content)]),
      ...Object.entries(boot).map(([name, content]) => [name, sha256(content)]),
      tools.digest,
    ]),
  );
  const file = await cached(
    cachePath('cards', `raspi4-${key.slice(0, 16)}.img`),
    async (temporary) => {
      say('root file system');
      const entries: TreeEntry[] = [];
      for (const recipe of recipes) for await (const entry of recipe.entries()) entries.push(entry);
      for await (const entry of packageEntries(userland)) entries.push(entry);
      for await (const entry of packageEntries(firmware, isWirelessFirmware)) entries.push(entry);
      const [root, fat] = [path.join(workspace, 'root.ext4'), path.join(workspace, 'boot.fat')];
      await writeExt4(root, rootBytes, [...entries, ...own], tools, signal);
      say('boot partition');
      await writeFat(fat, bootBytes, boot, tools, signal);
      say('card');
      const partitions = [
        { type: 'c', file: fat },
        { type: '83', file: root },
      ];
      await writeCard(temporary, 'dos', partitions, tools, signal);
    },
    { signal },
  );
  return { file, parts, unlocked: [...parts.unlocked, ...tools.unlocked, ...userland.unlocked, ...firmware.unlocked] };
};
