import fs, { type FileHandle } from 'node:fs/promises';
import { execa } from 'execa';
import type { Tools } from '../../system/packages/tools.ts';

const sector = 512;
const mebibyte = 1024 ** 2;
const noUuid = '00000000-0000-4000-8000-000000000000';

/** One partition: its type as sfdisk(8) has it, and the file that is its content. */
export type Partition = { readonly type: string; readonly file: string };

/** Where a partition lies on a card, in bytes. */
export type Extent = Partition & { readonly start: number; readonly size: number };

const aligned = (bytes: number): number => Math.ceil(bytes / mebibyte) * mebibyte;

/**
 * Partitions one after the other at whole mebibytes, and the size of a card for them: a power of two, as QEMU's SD
 * cards have to be (QEMU: hw/sd/sd.c), and cards are.
 */
export const layoutPartitions = (
  partitions: readonly (Partition & { readonly size: number })[],
): { readonly extents: readonly Extent[]; readonly size: number } => {
  let end = mebibyte;
  const extents = partitions.map((partition) => {
    const start = end;
    end += aligned(partition.size);
    return { ...partition, start };
  });
  return { extents, size: 2 ** Math.ceil(Math.log2(end + mebibyte)) };
};

/** Copies a file into another at an offset; what is all zeros stays a hole. */
const copyInto = async (card: FileHandle, { file, start }: Extent): Promise<void> => {
  await using source = await fs.open(file);
  const buffer = Buffer.alloc(mebibyte);
  const zeros = Buffer.alloc(mebibyte);
  for (let at = 0; ; ) {
    const { bytesRead } = await source.read(buffer, 0, mebibyte, at);
    if (bytesRead === 0) return;
    const read = buffer.subarray(0, bytesRead);
    if (!read.equals(zeros.subarray(0, bytesRead))) await card.write(read, 0, bytesRead, start + at);
    at += bytesRead;
  }
};

/** Writes a card with a partition table (`dos` holds four, `gpt` any number) as a sparse file. */
export const writeCard = async (
  target: string,
  label: 'dos' | 'gpt',
  partitions: readonly Partition[],
  tools: Tools,
  signal?: AbortSignal,
): Promise<void> => {
  const sized = await Promise.all(
    partitions.map(async (partition) => ({ ...partition, size: (await fs.stat(partition.file)).size })),
  );
  const { extents, size } = layoutPartitions(sized);
  // an image may hold a network's password
  await fs.writeFile(target, '', { mode: 0o600 });
  await fs.truncate(target, size);
  const table = [
    `label: ${label}`,
    `label-id: ${label === 'gpt' ? noUuid : '0x6f616b65'}`,
    ...extents.map(
      (extent, index) =>
        `start=${extent.start / sector}, size=${aligned(extent.size) / sector}, type=${extent.type}` +
        (label === 'gpt' ? `, uuid=${noUuid.slice(0, -2)}${String(index + 1).padStart(2, '0')}` : ''),
    ),
  ];
  const sfdisk = tools.program('usr/sbin/sfdisk');
  await execa(sfdisk.file, [...sfdisk.args, '--quiet', '--no-reread', '--no-tell-kernel', target], {
    input: `${table.join('\n')}\n`,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  await using card = await fs.open(target, 'r+');
  for (const extent of extents) {
    signal?.throwIfAborted();
    await copyInto(card, extent);
  }
};
