import fs from 'node:fs/promises';
import { cached, cachePath } from '../../system/files/cache.ts';
import { fileDigest, sha256 } from '../../system/files/digest.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { fetchSet } from '../../system/packages/fetch.ts';
import { fetchTools } from '../../system/packages/tools.ts';
import { openRun } from '../../system/runs.ts';
import { emulatedDeviceTree } from '../card/device-tree.ts';
import { buildLayerCard } from '../card/layer-card.ts';
import type { BootImage } from '../image.ts';
import { buildLayer, type Layer, type LayerRecipe } from '../layer.ts';
import { nodeVersion } from '../node-program.ts';
import { writeArchive } from './archive.ts';
import { buildInitramfs, type RootSource } from './initramfs.ts';
import { entriesLayer, filesLayer, kernelLayer, systemLayer, wasmtimeLayer, workerLayer } from './layers.ts';
import type { Kernel } from './modules.ts';
import { type BoardName, gatherParts, type Parts } from './parts.ts';
import { systemdLayer } from './systemd.ts';

export type ImageOptions = {
  readonly board: BoardName;
  /** A wasmtime version or path for the board; the pinned version when left out. */
  readonly wasmtime?: string | undefined;
  /** What the board's first process is; busybox when left out. */
  readonly init?: 'busybox' | 'systemd' | undefined;
  /** Files that this image has of its own, such as a worker's configuration, by path. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** Puts everything into one initramfs, which is written to `file`, with `entries` as its last layer. */
  readonly archive?: { readonly file: string; readonly entries: readonly TreeEntry[] } | undefined;
  readonly say?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Where a board's kernel finds the layers. */
const layerDisks: Readonly<Record<BoardName, string>> = {
  virt: '/dev/vd?',
  'virt-x86_64': '/dev/vd?',
  raspi4: '/dev/mmcblk?p?',
};

/** Writes an initramfs into the cache under its own digest. */
export const cacheInitramfs = async (bytes: Buffer, signal: AbortSignal | undefined) => {
  const digest = sha256(bytes);
  const file = await cached(cachePath('initramfs', digest), (temporary) => fs.writeFile(temporary, bytes), { signal });
  return { file, sha256: digest };
};

/** The device tree and, unless the layers are in the initramfs, the card with which QEMU's raspi4b boots them. */
const raspi4Files = async (
  kernel: Kernel,
  layers: readonly Layer[],
  isArchive: boolean,
  signal: AbortSignal | undefined,
) => {
  const tools = await fetchTools('card-tools', undefined, signal);
  if (kernel.deviceTree === undefined) throw new Error('the kernel was unpacked without its device tree');
  const deviceTree = await emulatedDeviceTree(kernel.deviceTree, tools, signal);
  const card = isArchive ? {} : { card: await buildLayerCard(layers, tools, signal) };
  return { deviceTree, ...card, unlocked: tools.unlocked };
};

/** The initramfs that finds the layers on disks, or that has them in itself. */
const initramfsOf = async (
  { busybox, kernel }: Parts,
  layers: readonly Layer[],
  { board, archive, signal }: ImageOptions,
): Promise<{ readonly file: string; readonly sha256: string }> => {
  if (archive !== undefined) return await writeArchive(archive.file, busybox, kernel, layers);
  const root: RootSource = { kind: 'layers', disks: layerDisks[board], count: layers.length };
  return await cacheInitramfs(await buildInitramfs(busybox, kernel, root), signal);
};

/**
 * The quick image for an emulated board out of Debian packages, made without root and without running any of their
 * scripts: a kernel, an initramfs and read-only layers. The same inputs give the same digest.
 */
export const buildDebianImage = async (options: ImageOptions): Promise<BootImage> => {
  const { board, archive, signal, say = () => {} } = options;
  await using stack = new AsyncDisposableStack();
  const { folder: workspace } = stack.use(await openRun(`the image of ${board}`));
  const [parts, systemd] = await Promise.all([
    gatherParts(board, options.wasmtime, say, signal),
    options.init === 'systemd' ? fetchSet('systemd', undefined, signal) : undefined,
  ]);
  const { tools, kernel, wasmtime } = parts;

  const recipes: readonly LayerRecipe[] = [
    systemLayer(parts),
    ...(systemd === undefined ? [] : [await systemdLayer(systemd)]),
    kernelLayer(kernel, parts.load),
    wasmtimeLayer(parts),
    // a host name has no underscore (RFC 1123, section 2.1)
    await workerLayer(workspace, `oakestra-${board.replaceAll('_', '-')}`),
    ...(options.files === undefined ? [] : [filesLayer(options.files)]),
    ...(archive === undefined ? [] : [entriesLayer('lab', archive.entries)]),
  ];
  say('layers');
  const layers = await Promise.all(recipes.map((recipe) => buildLayer(recipe, tools, signal)));
  const initramfs = await initramfsOf(parts, layers, options);
  const { unlocked = [], ...own } =
    board === 'raspi4' ? await raspi4Files(kernel, layers, archive !== undefined, signal) : {};
  const kernelDigest = await fileDigest(kernel.image);
  const treeDigest = 'deviceTree' in own ? [await fileDigest(own.deviceTree)] : [];
  const digest = sha256(
    [kernelDigest, initramfs.sha256, ...layers.map((layer) => layer.sha256), ...treeDigest].join('\n'),
  );
  // an archive has the layers in itself
  const files = [kernel.image, initramfs.file, ...(archive === undefined ? layers : []).map(({ file }) => file)];
  const sizes = await Promise.all(files.map(async (file) => (await fs.stat(file)).size));
  return {
    name: 'debian',
    digest,
    kernel: kernel.image,
    initramfs: initramfs.file,
    ...own,
    layers: archive === undefined ? layers : [],
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    wasmtimeVersion: wasmtime.version,
    unlocked: [...parts.unlocked, ...(systemd?.unlocked ?? []), ...unlocked],
    inputs: [
      { name: 'image', version: `debian ${board}`, sha256: digest },
      { name: 'kernel', version: kernel.version, sha256: kernelDigest },
      ...treeDigest.map((sum) => ({ name: 'device tree', sha256: sum })),
      { name: 'node (board)', version: nodeVersion, sha256: await fileDigest(parts.node) },
      { name: 'wasmtime (board)', version: wasmtime.version, sha256: wasmtime.sha256 },
      ...layers.map((layer) => ({ name: `layer ${layer.name}`, sha256: layer.sha256 })),
    ],
  };
};
