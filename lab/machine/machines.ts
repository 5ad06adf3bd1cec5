import { openBuildrootImage } from '../image/buildroot/boot.ts';
import { buildDebianImage } from '../image/debian/build.ts';
import type { BoardName } from '../image/debian/parts.ts';
import type { BootImage } from '../image/image.ts';
import { buildEmulatedCard } from '../image/sd/emulated.ts';
import type { Fidelity } from '../report/model/results.ts';
import { type Architecture, hostMachine } from '../system/elf.ts';
import { labFault, usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import { fetchTools } from '../system/packages/tools.ts';
import type { RunFolder } from '../system/runs.ts';
import { provideWasmtime } from '../wasm/wasmtime.ts';
import { ownMachines, readMachine } from './hardware/definition.ts';
import { hardwareCapabilities, startHardware } from './hardware/hardware.ts';
import type { KeptMachine } from './kept.ts';
import { keptBoard } from './local/kept.ts';
import { localCapabilities, startLocal } from './local/local.ts';
import { enterNamespaces } from './local/namespaces.ts';
import type { Capability, Machine } from './machine.ts';
import { type MachineDefinition, raspi4b, virt } from './qemu/definitions.ts';
import { keptEmulator } from './qemu/kept.ts';
import { emulatedCapabilities, startEmulated } from './qemu/qemu.ts';
import type { SegmentPort } from './segment/segment.ts';

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
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
  /**
   * Starts it; `note` is told, as long as it lives, what a person has to know about it. Of several boards on a segment
   * each is given its place there.
   */
  readonly start: (
    run: RunFolder,
    signal: AbortSignal,
    note: (text: string) => void,
    port?: SegmentPort,
  ) => Promise<Machine>;
};

/** A kind of machine, before anything of it exists. */
export type MachineKind = {
  readonly name: string;
  readonly about: string;
  readonly architecture: Architecture;
  readonly fidelity: Fidelity;
  readonly capabilities: ReadonlySet<Capability>;
  /** Why a scenario of several boards cannot run on it; left out where it can. */
  readonly alone?: string;
  /**
   * Puts this process where such a machine can be made. It may be started anew for that: nothing that has to be undone
   * may have happened before.
   */
  readonly enter?: (options: MachineOptions, signal: AbortSignal) => Promise<void>;
  /** Makes or fetches its parts; `say` is told how far that has come, and the start too. */
  readonly prepare: (options: MachineOptions, say: (text: string) => void, signal: AbortSignal) => Promise<Prepared>;
  /**
   * Reaches one that was left running, by its run's folder; undefined when that run's machine is of another kind. A kind
   * without it is put back as it was after each run and cannot be left running.
   */
  readonly openKept?: (folder: string) => Promise<KeptMachine | undefined>;
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
  if (image === 'buildroot' && wasmtime !== undefined)
    throw usageFault('the Buildroot image has the wasmtime that it was built with: leave out --wasmtime');
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
  openKept: keptEmulator,
  prepare: async (options, say, signal) => {
    const { qemu } = options;
    const image = await imageFor(board, options, say, signal);
    const emulator = qemu === undefined ? await fetchTools('qemu', undefined, signal) : { unlocked: [] };
    return {
      unlocked: [...image.unlocked, ...emulator.unlocked],
      start: (run, started, _note, port) => startEmulated({ definition, image, run, qemu, port, signal: started }),
    };
  },
});

const local: MachineKind = {
  name: 'local',
  about: "namespaces on this computer's own kernel",
  architecture: hostMachine(),
  fidelity: 'native',
  capabilities: localCapabilities,
  openKept: keptBoard,
  alone: "boards cannot be joined there: the kernel forbids the overlay's tunnel (FOU) in a user namespace",
  enter: async ({ wasmtime }, signal) => {
    // in there is no way to the internet
    await provideWasmtime(hostMachine(), wasmtime, signal);
    await enterNamespaces(signal);
  },
  prepare: async ({ wasmtime }, _say, signal) => {
    const program = await provideWasmtime(hostMachine(), wasmtime, signal);
    return {
      unlocked: [],
      start: (run, started) => startLocal(program, run, started),
    };
  },
};

/** A board of the user's own, by its machine file. */
const hardware = (name: string): MachineKind | undefined => {
  const definition = readMachine(name);
  if (!definition) return undefined;
  return {
    name,
    about: `a board reached by ssh: ${definition.ssh}`,
    architecture: definition.architecture ?? 'aarch64',
    fidelity: 'hardware',
    capabilities: hardwareCapabilities,
    alone: 'it is one board, and boards of your own are not joined by the lab',
    prepare: async ({ wasmtime }, say) => ({
      unlocked: [],
      start: (run, signal, note) => startHardware({ name, definition, run, wasmtime, say, note, signal }),
    }),
  };
};

const kinds: readonly MachineKind[] = [emulated(virt, 'virt'), emulated(raspi4b, 'raspi4'), local];

/** Names of the machines that need no machine file. */
export const machineNames: readonly string[] = kinds.map(({ name }) => name);

/** The machine with a name: one of the lab's, or one of the user's own. Throws a usage fault that names the nearest. */
export const machineKind = (name: string): MachineKind => {
  const found = kinds.find((kind) => kind.name === name) ?? hardware(name);
  if (!found) throw usageFault(`no machine '${name}'${nearest(name, [...machineNames, ...ownMachines()])}`);
  return found;
};

/**
 * The machine that was left running by the run with this folder, whatever its kind. Throws a lab fault where nothing is
 * left of it.
 */
export const openKept = async (folder: string): Promise<KeptMachine> => {
  for (const kind of kinds) {
    const kept = await kind.openKept?.(folder);
    if (kept !== undefined) return kept;
  }
  throw labFault('nothing is left of this machine', ['npm run lab -- clean --kept']);
};
