import type { Architecture } from '../../system/elf.ts';
import { labFault } from '../../system/errors.ts';
import { type Binutils, fetchBinutils } from '../../system/packages/binutils.ts';
import { packageTree } from '../../system/packages/deb.ts';
import { type FetchedSet, fetchSet, type SetName } from '../../system/packages/fetch.ts';
import { debianNames } from '../../system/packages/lock.ts';
import { fetchTools, type Tools } from '../../system/packages/tools.ts';
import { provideWasmtime, type Wasmtime } from '../../wasm/wasmtime.ts';
import { boardNode } from '../node-program.ts';
import modules from './modules.json' with { type: 'json' };
import { type Kernel, unpackKernel } from './modules.ts';

/** A board that images are built for. */
export type BoardName = 'virt' | 'virt-x86_64' | 'raspi4';

/** What an image for a board is made of, where boards differ. */
type Board = {
  readonly architecture: Architecture;
  readonly kernelSet: SetName;
  readonly modules: {
    readonly early: readonly string[];
    readonly modules: readonly string[];
    readonly load: readonly string[];
  };
  /** How the path of its device tree ends in its kernel package; others have none, or make their own. */
  readonly deviceTree?: string;
};

const boards: Readonly<Record<BoardName, Board>> = {
  virt: { architecture: 'aarch64', kernelSet: 'kernel-virt', modules: modules.virt },
  'virt-x86_64': { architecture: 'x86_64', kernelSet: 'kernel-virt-x86_64', modules: modules.virt },
  raspi4: {
    architecture: 'aarch64',
    kernelSet: 'kernel-raspi4',
    modules: modules.raspi4,
    deviceTree: '/broadcom/bcm2711-rpi-4-b.dtb',
  },
};

/** What an image is composed of, fetched and unpacked. */
export type Parts = {
  readonly architecture: Architecture;
  readonly tools: Tools;
  readonly binutils: Binutils;
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
  const { architecture, kernelSet: kernelSetName, modules: own, deviceTree } = boards[board];
  const progress = (done: number, total: number) => say(`packages ${percent(done, total)}`);
  const [tools, binutils, userland, kernelSet, node, wasmtime] = await Promise.all([
    fetchTools('image-tools', undefined, signal),
    fetchBinutils(architecture, signal),
    fetchSet('userland', progress, signal, debianNames[architecture]),
    fetchSet(kernelSetName, undefined, signal),
    boardNode(architecture, signal),
    provideWasmtime(architecture, wasmtimeVersion, signal),
  ]);
  const [kernelPackage] = kernelSet.packages;
  if (!kernelPackage) throw labFault('the lock has no kernel package');
  say('kernel and worker');
  const { shared } = modules;
  const wanted = {
    early: own.early,
    modules: [...shared.modules, ...own.modules],
    ...(deviceTree === undefined ? {} : { deviceTree }),
    ...(architecture === 'x86_64' ? { unpacksItself: true as const } : {}),
  };
  const [kernel, busybox] = await Promise.all([
    unpackKernel(kernelPackage, wanted, tools, signal),
    busyboxOf(userland),
  ]);
  return {
    ...{ architecture, tools, binutils, userland, kernel, busybox, node, wasmtime },
    load: [...shared.load, ...own.load],
    unlocked: [...new Set([...userland.unlocked, ...kernelSet.unlocked, ...tools.unlocked, ...binutils.unlocked])],
  };
};
