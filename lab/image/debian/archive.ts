import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { writeCpio } from '../cpio.ts';
import { fileEntry, folderEntry } from '../entries.ts';
import type { Layer } from '../layer.ts';
import { initramfsEntries } from './initramfs.ts';
import { type Kernel, moduleClosure, parseDependencies } from './modules.ts';

/** Where the layers lie in the initramfs. */
const folder = 'image';

/** The kernel with the module that mounts files among those that the initramfs loads. */
const withLoop = async (kernel: Kernel): Promise<Kernel> => {
  const modules = path.join('usr/lib/modules', kernel.version);
  const index = (name: string) => fs.readFile(path.join(kernel.modules, modules, name), 'utf8');
  const [dependencies, builtin] = await Promise.all([index('modules.dep'), index('modules.builtin')]);
  const builtins = new Set(builtin.split('\n').map((file) => path.basename(file, '.ko')));
  const loop = moduleClosure(parseDependencies(dependencies), builtins, ['loop']);
  return { ...kernel, early: [...kernel.early, ...loop.map((file) => path.join(modules, file))] };
};

/**
 * Writes an initramfs with the whole image in it: the layers are plain files there, mounted in the order of `layers`. It
 * is not compressed, so that the guest has nothing to unpack; the kernel takes several archives one after the other
 * (kernel: driver-api/early-userspace/buffer-format), so that no more than one layer is in memory at a time. The same
 * parts give the same bytes. The kernel's command line has to say `rootfstype=ramfs`: files of a tmpfs cannot be
 * mounted before its own modules are there.
 */
export const writeArchive = async (
  target: string,
  busybox: Buffer,
  kernel: Kernel,
  layers: readonly Layer[],
): Promise<{ readonly file: string; readonly sha256: string }> => {
  const digest = createHash('sha256');
  await using file = await fs.open(target, 'w');
  const append = async (bytes: Buffer) => {
    digest.update(bytes);
    await file.appendFile(bytes);
  };
  const small = await initramfsEntries(busybox, await withLoop(kernel), { kind: 'files', files: `/${folder}/*` });
  await append(writeCpio([...small, folderEntry(folder)]));
  for (const [n, layer] of layers.entries())
    await append(writeCpio([fileEntry(`${folder}/layer${n}`, await fs.readFile(layer.file))]));
  return { file: target, sha256: digest.digest('hex') };
};
