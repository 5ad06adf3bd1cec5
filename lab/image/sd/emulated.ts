import fs from 'node:fs/promises';
import { cachePath } from '../../system/files/cache.ts';
import { fileDigest } from '../../system/files/digest.ts';
import { fetchTools } from '../../system/packages/tools.ts';
import { emulatedDeviceTree } from '../card/device-tree.ts';
import type { BootImage } from '../image.ts';
import { nodeVersion } from '../node-program.ts';
import { buildBoardCard } from './board-card.ts';
import { loadBootPartition } from './boot-partition.ts';

/**
 * The card of a Raspberry Pi 4, without anyone's settings, as QEMU's raspi4b boots it: with the kernel, initramfs and
 * command line of its own boot partition, and its device tree after the emulator's overlay.
 */
export const buildEmulatedCard = async (options: {
  readonly wasmtime?: string | undefined;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}): Promise<BootImage> => {
  const { say, signal } = options;
  const { file: card, parts, unlocked } = await buildBoardCard({ ...options, settings: {} });
  const tools = await fetchTools('card-tools', undefined, signal);
  say('boot partition');
  const digest = await fileDigest(card);
  const folder = cachePath('boots', digest.slice(0, 16));
  await fs.mkdir(folder, { recursive: true });
  const loaded = await loadBootPartition(card, folder, tools, signal);
  const deviceTree = await emulatedDeviceTree(loaded.deviceTree, tools, signal);
  return {
    name: 'debian-sd',
    digest,
    kernel: loaded.kernel,
    initramfs: loaded.initramfs,
    commandLine: loaded.commandLine,
    deviceTree,
    card,
    layers: [],
    bytes: (await fs.stat(card)).size,
    wasmtimeVersion: parts.wasmtime.version,
    unlocked,
    inputs: [
      { name: 'card', version: 'debian raspi4', sha256: digest },
      { name: 'kernel', version: parts.kernel.version, sha256: await fileDigest(loaded.kernel) },
      { name: 'device tree', sha256: await fileDigest(deviceTree) },
      { name: 'node (board)', version: nodeVersion, sha256: await fileDigest(parts.node) },
      { name: 'wasmtime (board)', version: parts.wasmtime.version, sha256: parts.wasmtime.sha256 },
    ],
  };
};
