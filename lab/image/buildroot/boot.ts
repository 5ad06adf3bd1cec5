import fs from 'node:fs/promises';
import path from 'node:path';
import { parseJson } from '../../../worker/contract/check.ts';
import { labFault } from '../../system/errors.ts';
import { cachePath } from '../../system/files/cache.ts';
import { fileDigest } from '../../system/files/digest.ts';
import { fetchTools } from '../../system/packages/tools.ts';
import { emulatedDeviceTree } from '../card/device-tree.ts';
import type { BoardName } from '../debian/parts.ts';
import type { BootImage } from '../image.ts';
import { type LoadedBoot, loadBootPartition } from '../sd/boot-partition.ts';
import { builtFiles, imageFile, outputFolder, Provenance } from './output.ts';

// one image is for both of the emulated boards
const output = (): string => outputFolder('virt');

const readProvenance = async (): Promise<Provenance> => {
  const text = await fs.readFile(path.join(output(), builtFiles.provenance), 'utf8').catch(() => undefined);
  if (text === undefined) throw labFault('there is no Buildroot image yet', ['npm run lab -- image build buildroot']);
  return parseJson(Provenance, text, builtFiles.provenance);
};

/** What the build left for a boot without a boot loader. */
const loadDirectly = async (): Promise<LoadedBoot> => ({
  kernel: imageFile(output(), 'Image'),
  deviceTree: imageFile(output(), 'bcm2711-rpi-4-b.dtb'),
  commandLine: (await fs.readFile(imageFile(output(), 'cmdline.txt'), 'utf8')).trim(),
});

const loadFromCard = async (card: string, digest: string, signal: AbortSignal | undefined): Promise<LoadedBoot> => {
  const folder = cachePath('boots', digest.slice(0, 16));
  await fs.mkdir(folder, { recursive: true });
  return loadBootPartition(card, folder, await fetchTools('card-tools', undefined, signal), signal);
};

/**
 * The image that Buildroot built last for the emulated boards. Its root file system is on its SD card; the kernel
 * comes from there too, or beside it. Throws a lab fault that says how to build it when there is none.
 */
export const openBuildrootImage = async (options: {
  readonly board: BoardName;
  readonly fromCard: boolean;
  readonly signal?: AbortSignal | undefined;
}): Promise<BootImage> => {
  const { board, fromCard, signal } = options;
  const { buildroot, inputs } = await readProvenance();
  const wasmtimeVersion = inputs.find(({ name }) => name === 'source wasmtime')?.version;
  if (wasmtimeVersion === undefined) throw labFault('this Buildroot image has no wasmtime package');
  const card = imageFile(output(), 'sdcard.img');
  const digest = await fileDigest(card);
  const { kernel, deviceTree, commandLine } = await (fromCard ? loadFromCard(card, digest, signal) : loadDirectly());
  const treeOf = async () => emulatedDeviceTree(deviceTree, await fetchTools('card-tools', undefined, signal), signal);
  return {
    name: fromCard ? 'buildroot-sd' : 'buildroot',
    digest,
    ...{ kernel, commandLine, card, wasmtimeVersion },
    deviceTree: board === 'raspi4' ? await treeOf() : undefined,
    layers: [],
    bytes: (await fs.stat(card)).size,
    unlocked: [],
    inputs: [
      { name: 'image', version: `buildroot ${buildroot} virt`, sha256: digest },
      { name: 'kernel', sha256: await fileDigest(kernel) },
      { name: 'root file system', sha256: await fileDigest(imageFile(output(), 'rootfs.ext2')) },
      ...inputs,
    ],
  };
};
