import { labFault } from '../../system/errors.ts';
import { packageTree } from '../../system/packages/deb.ts';
import { type FetchedSet, fetchSet, type SetName } from '../../system/packages/fetch.ts';
import { fetchTools, type Tools } from '../../system/packages/tools.ts';
import { provideWasmtime, type Wasmtime } from '../../wasm/wasmtime.ts';
import { boardNode } from '../node-program.ts';
import modules from './modules.json' with { type: 'json' };
import { type Kernel, unpackKernel } from './modules.ts';

/** A board that images are built for. */
export type BoardName = 'virt' | 'raspi4';

/** What an image is composed of, fetched and unpacked. */
export type Parts = {
  readonly tools: Tools;
  readonly userland: FetchedSet;
  readonly kernel: Kernel;
  /** Modules that are loaded at boot. */
  readonly load: readonly string[];
  readonly busybox: Buffer;
  readonly node: string;
  readonly wasmtime: Wasmtime;
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
};

const kernelSets: Readonly<Record<BoardName, SetName>> = { virt: 'kernel-virt', raspi4: 'kernel-raspi4' };

/** How the path of a board's device tree ends in its kernel package; QEMU's `virt` makes its own. */
const deviceTrees: Readonly<Partial<Record<BoardName, string>>> = { raspi4: '/broadcom/bcm2711-rpi-4-b.dtb' };

const percent = (done: number, total: number): string => `${Math.floor((100 * done) / total)} %`;

const busyboxOf = async ({ packages }: FetchedSet): Promise<Buffer> => {
  const found = packages.find(({ name }) => name === 'busybox-static');
  const tree = found ? await Array.fromAsync(packageTree(found.file, (name) => name.endsWith('bin/busybox'))) : [];
  const program = tree.find(({ type }) => type === 'file');
  if (!program) throw labFault('the userland packages have no busybox');
  return program.content;
};

/** Fetches what a board's image is composed of. */
export const gatherParts = async (
  board: BoardName,
  wasmtimeVersion: string | undefined,
  say: (text: string) => void,
  signal: AbortSignal | undefined,
): Promise<Parts> => {
  const [tools, userland, kernelSet, node, wasmtime] = await Promise.all([
    fetchTools('image-tools', undefined, signal),
    fetchSet('userland', (done, total) => say(`packages ${percent(done, total)}`), signal),
    fetchSet(kernelSets[board], undefined, signal),
    boardNode(signal),
    provideWasmtime('aarch64', wasmtimeVersion, signal),
  ]);
  const [kernelPackage] = kernelSet.packages;
  if (!kernelPackage) throw labFault('the lock has no kernel package');
  say('kernel and worker');
  const { shared, [board]: own } = modules;
  const deviceTree = deviceTrees[board];
  const wanted = {
    early: own.early,
    modules: [...shared.modules, ...own.modules],
    ...(deviceTree === undefined ? {} : { deviceTree }),
  };
  const [kernel, busybox] = await Promise.all([
    unpackKernel(kernelPackage, wanted, tools, signal),
    busyboxOf(userland),
  ]);
  return {
    ...{ tools, userland, kernel, busybox, node, wasmtime },
    load: [...shared.load, ...own.load],
    unlocked: [...userland.unlocked, ...kernelSet.unlocked, ...tools.unlocked],
  };
};
