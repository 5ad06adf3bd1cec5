import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { parseJson } from '../../../worker/contract/check.ts';
import { fileDigest, sha256 } from '../../system/digest.ts';
import { labFault, usageFault } from '../../system/errors.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { cacheInitramfs } from '../debian/build.ts';
import { buildInitramfs } from '../debian/initramfs.ts';
import { kernelLayer } from '../debian/layers.ts';
import type { Kernel } from '../debian/modules.ts';
import { type BoardName, gatherParts, type Parts } from '../debian/parts.ts';
import { fileEntry } from '../entries.ts';
import type { BootImage } from '../image.ts';
import { buildLayer, type LayerRecipe } from '../layer.ts';
import { builtFiles, imageFile, outputFolder, Provenance } from './output.ts';

const kinds: Readonly<Record<string, TreeEntry['type']>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symlink',
  link: 'link',
};

/** The entries of a root file system in a tar archive; device nodes are left out, the kernel makes them. */
export async function* tarEntries(file: string): AsyncGenerator<TreeEntry> {
  const entries = extract();
  createReadStream(file).pipe(entries);
  for await (const entry of entries) {
    const { name, type, mode = 0o644, linkname } = entry.header;
    const kind = kinds[type ?? 'file'];
    const content = await buffer(entry);
    const clean = path.normalize(name).replace(/\/$/, '');
    if (kind !== undefined && clean !== '.') yield { path: clean, type: kind, mode, linkname: linkname ?? '', content };
  }
}

const exists = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false,
  );

/** The image's own kernel, or for a configuration without one the quick image's with its modules. */
const kernelOf = async (
  output: string,
  { kernel, load }: Parts,
): Promise<{ readonly kernel: Kernel; readonly layers: readonly LayerRecipe[] }> => {
  const own = imageFile(output, 'Image');
  if (await exists(own)) return { kernel: { ...kernel, version: 'Buildroot', image: own, early: [] }, layers: [] };
  const modules = kernelLayer(kernel, load);
  const listed: LayerRecipe = {
    ...modules,
    entries: async function* () {
      yield* modules.entries();
      yield fileEntry('etc/modules-load.d/lab.conf', `${load.join('\n')}\n`);
    },
  };
  return { kernel, layers: [listed] };
};

/**
 * The image that Buildroot built last for the `virt` board, as QEMU boots it: the root file system read-only under a
 * writable layer in memory. Throws a lab fault that says how to build it when there is none.
 */
export const openBuildrootImage = async (
  board: BoardName,
  say: (text: string) => void = () => {},
  signal?: AbortSignal,
): Promise<BootImage> => {
  if (board !== 'virt') throw usageFault('--image buildroot boots on the machine virt so far');
  const output = outputFolder(board);
  const rootfs = imageFile(output, 'rootfs.tar');
  const record = path.join(output, builtFiles.provenance);
  if (!(await exists(rootfs)) || !(await exists(record)))
    throw labFault('there is no Buildroot image yet', ['npm run lab -- image build buildroot']);
  const provenance = parseJson(Provenance, await fs.readFile(record, 'utf8'), builtFiles.provenance);
  const wasmtimeVersion = provenance.inputs.find(({ name }) => name === 'source wasmtime')?.version;
  if (wasmtimeVersion === undefined) throw labFault('this Buildroot image has no wasmtime package');
  const rootDigest = await fileDigest(rootfs);
  const parts = await gatherParts('virt', undefined, say, signal);
  const { kernel, layers: kernelLayers } = await kernelOf(output, parts);
  const root: LayerRecipe = { name: 'buildroot', key: [rootDigest], entries: () => tarEntries(rootfs) };
  say('layers');
  const layers = await Promise.all([root, ...kernelLayers].map((recipe) => buildLayer(recipe, parts.tools, signal)));
  const source = { kind: 'layers', disks: '/dev/vd?', count: layers.length } as const;
  const initramfs = await cacheInitramfs(await buildInitramfs(parts.busybox, kernel, source), signal);
  const kernelDigest = await fileDigest(kernel.image);
  const digest = sha256([kernelDigest, initramfs.sha256, ...layers.map((layer) => layer.sha256)].join('\n'));
  const files = [kernel.image, initramfs.file, ...layers.map(({ file }) => file)];
  const sizes = await Promise.all(files.map(async (file) => (await fs.stat(file)).size));
  return {
    name: 'buildroot',
    digest,
    kernel: kernel.image,
    initramfs: initramfs.file,
    layers,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    wasmtimeVersion,
    unlocked: parts.unlocked,
    inputs: [
      { name: 'image', version: `buildroot ${provenance.buildroot} virt`, sha256: digest },
      { name: 'kernel', version: kernel.version, sha256: kernelDigest },
      { name: 'root file system', sha256: rootDigest },
      ...provenance.inputs,
    ],
  };
};
