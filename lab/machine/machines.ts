import { openBuildrootImage } from '../image/buildroot/boot.ts';
import { buildDebianImage } from '../image/debian/build.ts';
import type { BoardName } from '../image/debian/parts.ts';
import type { BootImage } from '../image/image.ts';
import { buildEmulatedCard } from '../image/sd/emulated.ts';
import type { Fidelity } from '../report/results.ts';
import { type Architecture, hostMachine } from '../system/elf.ts';
import { usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import type { RunFolder } from '../system/runs.ts';
import { provideWasmtime } from '../wasm/wasmtime.ts';
import { localCapabilities, startLocal } from './local/local.ts';
import { enterNamespaces } from './local/namespaces.ts';
import type { Capability, Machine } from './machine.ts';
import { type MachineDefinition, raspi4b, virt } from './qemu/definitions.ts';
import { emulatedCapabilities, startEmulated } from './qemu/qemu.ts';

/** What an emulated board can boot. */
export const imageKinds = ['debian', 'buildroot'] as const;
export type ImageKind = (typeof imageKinds)[number];

export const bootSources = ['direct', 'sd'] as const;
export type BootSource = (typeof bootSources)[number];

/** What the user chose about a machine. */
export type MachineOptions = {
  /** A wasmtime version or path; the pinned version when left out. */
  readonly wasmtime?: string | undefined;
  /** A QEMU of the user's own. */
  readonly qemu?: string | undefined;
  /** Which image an emulated board boots; the quick one when left out. */
  readonly image?: ImageKind | undefined;
  /** How it gets at the image: kernel and layers are handed to it, or it has an SD card as the real board does. */
  readonly boot?: BootSource | undefined;
};

/** A machine whose parts are all there: it can be started. */
export type Prepared = {
  readonly wasmtimeVersion: string;
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
  readonly start: (run: RunFolder, signal: AbortSignal) => Promise<Machine>;
};

/** A kind of machine, before anything of it exists. */
export type MachineKind = {
  readonly name: string;
  readonly about: string;
  readonly architecture: Architecture;
  readonly fidelity: Fidelity;
  readonly capabilities: ReadonlySet<Capability>;
  /**
   * Puts this process where such a machine can be made. It may be started anew for that: nothing that has to be undone
   * may have happened before.
   */
  readonly enter?: (options: MachineOptions, signal: AbortSignal) => Promise<void>;
  readonly prepare: (options: MachineOptions, say: (text: string) => void, signal: AbortSignal) => Promise<Prepared>;
};

/** The image that the user chose for a board, built or opened. */
const imageFor = (
  board: BoardName,
  { image, boot, wasmtime }: MachineOptions,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<BootImage> => {
  const fromCard = boot === 'sd';
  if (fromCard && board !== 'raspi4') throw usageFault('only the machine raspi4b boots from an SD card');
  if (image === 'buildroot') return openBuildrootImage({ board, fromCard, signal });
  if (!fromCard) return buildDebianImage({ board, wasmtime, say, signal });
  return buildEmulatedCard({ wasmtime, say, signal });
};

/** A machine of QEMU's that boots a board's quick image. */
const emulated = (definition: MachineDefinition, board: BoardName): MachineKind => ({
  name: definition.machine,
  about: `QEMU, machine ${definition.machine}, aarch64, emulated`,
  architecture: 'aarch64',
  fidelity: 'emulated',
  capabilities: emulatedCapabilities,
  prepare: async (options, say, signal) => {
    const { qemu } = options;
    const image = await imageFor(board, options, say, signal);
    return {
      wasmtimeVersion: image.wasmtimeVersion,
      unlocked: image.unlocked,
      start: (run, started) => startEmulated({ definition, image, run, qemu, signal: started }),
    };
  },
});

const local: MachineKind = {
  name: 'local',
  about: "namespaces on this computer's own kernel",
  architecture: hostMachine(),
  fidelity: 'native',
  capabilities: localCapabilities,
  enter: async ({ wasmtime }, signal) => {
    // in there is no way to the internet
    await provideWasmtime(hostMachine(), wasmtime, signal);
    await enterNamespaces(signal);
  },
  prepare: async ({ wasmtime }, _say, signal) => {
    const program = await provideWasmtime(hostMachine(), wasmtime, signal);
    return {
      wasmtimeVersion: program.version,
      unlocked: [],
      start: (run, started) => startLocal(program, run, started),
    };
  },
};

const kinds: readonly MachineKind[] = [emulated(virt, 'virt'), emulated(raspi4b, 'raspi4'), local];

export const machineNames: readonly string[] = kinds.map(({ name }) => name);

/** The kind of machine with a name. Throws a usage fault that names the nearest one. */
export const machineKind = (name: string): MachineKind => {
  const found = kinds.find((kind) => kind.name === name);
  if (!found) throw usageFault(`no machine '${name}'${nearest(name, machineNames)}`);
  return found;
};
