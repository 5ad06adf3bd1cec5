import fs from 'node:fs/promises';
import path from 'node:path';
import { usageFault } from '../../system/errors.ts';

/** Where an image is to be written, as the kernel describes it. */
export type FlashTarget = {
  readonly path: string;
  /** A partition is none of these: an image has partitions of its own. */
  readonly kind: 'card' | 'removable' | 'loop' | 'file' | 'partition' | 'fixed';
  readonly model: string;
  readonly bytes: number;
  readonly readOnly: boolean;
  /** Where it or one of its partitions is mounted, swapped to, or held by another device. */
  readonly uses: readonly string[];
};

const line = (file: string): Promise<string> =>
  fs.readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => '',
  );

const names = (folder: string): Promise<readonly string[]> => fs.readdir(folder).catch(() => []);

const kindOf = async (folder: string): Promise<FlashTarget['kind']> => {
  if ((await line(`${folder}/partition`)) !== '') return 'partition';
  if ((await line(`${folder}/loop/backing_file`)) !== '') return 'loop';
  if ((await line(`${folder}/device/type`)) === 'SD') return 'card';
  return (await line(`${folder}/removable`)) === '1' ? 'removable' : 'fixed';
};

const usesOf = async (folder: string): Promise<readonly string[]> => {
  const own = [
    path.basename(folder),
    ...(await names(folder)).filter((name) => name.startsWith(path.basename(folder))),
  ];
  const [mounts, swaps] = [await line('/proc/self/mounts'), await line('/proc/swaps')];
  const found: string[] = [];
  for (const name of own) {
    for (const entry of mounts.split('\n')) {
      const [source, place] = entry.split(' ');
      if (source !== undefined && (await fs.realpath(source).catch(() => source)) === `/dev/${name}`)
        found.push(`${name} is mounted at ${place}`);
    }
    if (swaps.includes(`/dev/${name} `)) found.push(`${name} is swap space`);
    const holders = [
      ...(await names(`${folder}/holders`)),
      ...(name === own[0] ? [] : await names(`${folder}/${name}/holders`)),
    ];
    if (holders.length > 0) found.push(`${name} is part of ${holders.join(', ')}`);
  }
  return found;
};

/** What the kernel says of a device or file. Throws a usage fault when it is neither. */
export const describeTarget = async (name: string): Promise<FlashTarget> => {
  const stat = await fs.stat(name).catch(() => undefined);
  if (!stat) throw usageFault(`there is no ${name}`, ['lsblk']);
  if (stat.isFile()) return { path: name, kind: 'file', model: 'a file', bytes: stat.size, readOnly: false, uses: [] };
  if (!stat.isBlockDevice()) throw usageFault(`${name} is neither a block device nor a file`, ['lsblk']);
  // device numbers as glibc splits them (sysmacros.h)
  const major = (stat.rdev >> 8) & 0xfff;
  const minor = (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00);
  const folder = await fs.realpath(`/sys/dev/block/${major}:${minor}`);
  const model = [await line(`${folder}/device/vendor`), await line(`${folder}/device/model`)].join(' ').trim();
  return {
    path: name,
    kind: await kindOf(folder),
    model: model || (await line(`${folder}/device/name`)) || path.basename(folder),
    bytes: Number(await line(`${folder}/size`)) * 512,
    readOnly: (await line(`${folder}/ro`)) === '1',
    uses: await usesOf(folder),
  };
};

/** Why nothing must be written to a target, or undefined where it may be. */
export const reasonNotFlashable = (target: FlashTarget, imageBytes: number): string | undefined => {
  if (target.kind === 'partition') return `${target.path} is a partition: name the whole device`;
  if (target.kind === 'fixed') return `${target.path} (${target.model}) is neither a card nor removable`;
  const [use] = target.uses;
  if (use !== undefined) return `${target.path} is in use: ${use}`;
  if (target.readOnly) return `${target.path} is read-only: look at the card's lock switch`;
  if (target.kind !== 'file' && target.bytes < imageBytes)
    return `${target.path} has room for ${target.bytes} bytes, the image has ${imageBytes}`;
  return undefined;
};
