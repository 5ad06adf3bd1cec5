import fs from 'node:fs/promises';
import path from 'node:path';
import { labFault } from '../../system/errors.ts';
import type { Tools } from '../../system/packages/tools.ts';
import { runTool } from './file-systems.ts';

const sector = 512;
const partitionTable = 0x1be;

/** Where the first partition of a card begins, in bytes (master boot record, "start LBA" of the first entry). */
const firstPartition = async (card: string): Promise<number> => {
  await using file = await fs.open(card);
  const { buffer } = await file.read(Buffer.alloc(sector), 0, sector, 0);
  if (buffer.readUInt16LE(sector - 2) !== 0xaa55) throw labFault(`${card} has no partition table`);
  return buffer.readUInt32LE(partitionTable + 8) * sector;
};

/** What `config.txt` tells the firmware to load. */
export type BootConfiguration = {
  readonly kernel: string;
  readonly deviceTree: string;
  readonly initramfs?: string | undefined;
};

/** Reads a `config.txt` as far as a boot needs it. Throws a lab fault for a line that is missing. */
export const parseBootConfiguration = (text: string): BootConfiguration => {
  const value = (pattern: RegExp, what: string): string => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw labFault(`config.txt names no ${what}`);
    return found;
  };
  return {
    kernel: value(/^kernel=(\S+)$/m, 'kernel'),
    deviceTree: value(/^device_tree=(\S+)$/m, 'device tree'),
    initramfs: /^initramfs (\S+) followkernel$/m.exec(text)?.[1],
  };
};

/** What the Raspberry Pi's firmware would hand over to the kernel, as files in a folder. */
export type LoadedBoot = BootConfiguration & { readonly commandLine: string };

/**
 * Does what the firmware does, which QEMU has not got: reads the boot partition of a card and finds kernel, device
 * tree, initramfs and command line there.
 */
export const loadBootPartition = async (
  card: string,
  folder: string,
  tools: Tools,
  signal?: AbortSignal,
): Promise<LoadedBoot> => {
  const partition = `${card}@@${await firstPartition(card)}`;
  const copy = tools.program('usr/bin/mtools', 'mcopy');
  const fetch = async (name: string): Promise<string> => {
    const target = path.join(folder, path.basename(name));
    await runTool(copy, ['-n', '-o', '-i', partition, `::/${name}`, target], tools, signal);
    return target;
  };
  const configuration = parseBootConfiguration(await fs.readFile(await fetch('config.txt'), 'utf8'));
  return {
    kernel: await fetch(configuration.kernel),
    deviceTree: await fetch(configuration.deviceTree),
    initramfs: configuration.initramfs && (await fetch(configuration.initramfs)),
    commandLine: (await fs.readFile(await fetch('cmdline.txt'), 'utf8')).trim(),
  };
};
