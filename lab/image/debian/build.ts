import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { cached, cachePath } from '../../system/cache.ts';
import { fileDigest, sha256 } from '../../system/digest.ts';
import { labFault } from '../../system/errors.ts';
import { packageTree } from '../../system/packages/deb.ts';
import { fetchSet } from '../../system/packages/fetch.ts';
import { fetchTools } from '../../system/packages/tools.ts';
import { provideWasmtime } from '../../wasm/wasmtime.ts';
import type { BootImage } from '../image.ts';
import { buildLayer, type LayerRecipe } from '../layer.ts';
import { boardNode, nodeVersion } from '../node-program.ts';
import { buildInitramfs } from './initramfs.ts';
import { kernelLayer, systemLayer, wasmtimeLayer, workerLayer } from './layers.ts';
import modules from './modules.json' with { type: 'json' };
import { unpackKernel } from './modules.ts';

export type ImageOptions = {
  /** A wasmtime version or path for the board; the pinned version when left out. */
  readonly wasmtime?: string | undefined;
  readonly say?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
};

const percent = (done: number, total: number): string => `${Math.floor((100 * done) / total)} %`;

const busyboxOf = async (packages: readonly { readonly name: string; readonly file: string }[]): Promise<Buffer> => {
  const found = packages.find(({ name }) => name === 'busybox-static');
  const tree = found ? await Array.fromAsync(packageTree(found.file, (name) => name.endsWith('bin/busybox'))) : [];
  const program = tree.find(({ type }) => type === 'file');
  if (!program) throw labFault('the userland packages have no busybox');
  return program.content;
};

/**
 * The quick image for QEMU's `virt` machine out of Debian packages, made without root and without running any of their
 * scripts: a kernel, an initramfs and read-only layers. The same inputs give the same digest.
 */
export const buildDebianImage = async (options: ImageOptions = {}): Promise<BootImage> => {
  const { signal, say = () => {} } = options;
  await using stack = new AsyncDisposableStack();
  const workspace = await fs.mkdtemp(path.join(os.tmpdir(), 'lab-image-'));
  stack.defer(() => fs.rm(workspace, { recursive: true, force: true }));

  const [tools, userland, kernelSet, node, wasmtime] = await Promise.all([
    fetchTools('image-tools', undefined, signal),
    fetchSet('userland', (done, total) => say(`packages ${percent(done, total)}`), signal),
    fetchSet('kernel-virt', undefined, signal),
    boardNode(signal),
    provideWasmtime('aarch64', options.wasmtime, signal),
  ]);
  const [kernelPackage] = kernelSet.packages;
  if (!kernelPackage) throw labFault('the lock has no kernel package');

  say('kernel and worker');
  const [worker, kernel] = await Promise.all([
    workerLayer(workspace, 'oakestra-virt'),
    unpackKernel(kernelPackage, { early: modules.early, modules: modules.virt }, tools, signal),
  ]);
  const recipes: readonly LayerRecipe[] = [
    systemLayer(userland, node, tools),
    kernelLayer(kernel, modules.load),
    wasmtimeLayer(wasmtime, tools),
    worker,
  ];
  say('layers');
  const layers = await Promise.all(recipes.map((recipe) => buildLayer(recipe, tools, signal)));
  const kernelDigest = await fileDigest(kernel.image);
  const initramfs = await buildInitramfs(await busyboxOf(userland.packages), kernel);
  const initramfsDigest = sha256(initramfs);
  const initramfsFile = await cached(
    cachePath('initramfs', initramfsDigest),
    (temporary) => fs.writeFile(temporary, initramfs),
    { signal },
  );
  const digest = sha256([kernelDigest, initramfsDigest, ...layers.map((layer) => layer.sha256)].join('\n'));
  const files = [kernel.image, initramfsFile, ...layers.map(({ file }) => file)];
  const sizes = await Promise.all(files.map(async (file) => (await fs.stat(file)).size));
  return {
    name: 'debian',
    digest,
    kernel: kernel.image,
    initramfs: initramfsFile,
    layers,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    wasmtimeVersion: wasmtime.version,
    unlocked: [...userland.unlocked, ...kernelSet.unlocked, ...tools.unlocked],
    inputs: [
      { name: 'image', version: 'debian', sha256: digest },
      { name: 'kernel', version: kernel.version, sha256: kernelDigest },
      { name: 'node (board)', version: nodeVersion, sha256: await fileDigest(node) },
      { name: 'wasmtime (board)', version: wasmtime.version, sha256: wasmtime.sha256 },
      ...layers.map((layer) => ({ name: `layer ${layer.name}`, sha256: layer.sha256 })),
    ],
  };
};
