import type { Fidelity, Input } from '../report/model/results.ts';
import type { CheckResult } from '../system/check-result.ts';
import type { Architecture } from '../system/elf.ts';
import type { TreeEntry } from '../system/packages/deb.ts';
import type { RunFolder } from '../system/runs.ts';
import type { KeptMachine } from './kept.ts';
import type { Capability, Machine } from './machine.ts';
import type { SegmentPort } from './segment/segment.ts';

/** What an emulated board can boot. */
export const imageKinds = ['debian', 'buildroot'] as const;
export type ImageKind = (typeof imageKinds)[number];

export const bootSources = ['direct', 'sd'] as const;
export type BootSource = (typeof bootSources)[number];

/** What runs an emulated board's instructions: KVM where it is usable and TCG elsewhere, or one of them. */
export const acceleratorChoices = ['auto', 'tcg', 'kvm'] as const;
export type AcceleratorChoice = (typeof acceleratorChoices)[number];

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
  /** What runs its instructions; `auto` when left out. */
  readonly accel?: AcceleratorChoice | undefined;
  /** Boots it even where it could be restored from a saved boot. */
  readonly fresh?: boolean | undefined;
};

/** A machine whose parts are all there: it can be started. */
export type Prepared = {
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
  /** What it is made of, by digest, as far as that is known before it is started. */
  readonly inputs: readonly Input[];
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

/** A guest with the lab's half in it, whose instructions are counted: the same seed gives the same run. */
export type CountedGuest = {
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
  /** What it is made of, by digest. */
  readonly inputs: readonly Input[];
  /** The console of a guest whose run has this folder. */
  readonly consoleText: (folder: string) => Promise<string>;
  /** The emulator's command line for a seed. */
  readonly command: (seed: number) => readonly string[];
  /** Runs it until `onRecord` says of a record that left the guest that it was the last one. */
  readonly run: (
    seed: number,
    run: RunFolder,
    onRecord: (record: string) => boolean,
    signal: AbortSignal,
  ) => Promise<void>;
};

/** A kind of machine, before anything of it exists. */
export type MachineKind = {
  readonly name: string;
  readonly description: string;
  readonly architecture: Architecture;
  readonly fidelity: Fidelity;
  readonly capabilities: ReadonlySet<Capability>;
  /** What of this computer a run on it needs, beside what every run does: the preflight looks for it. */
  readonly requires: readonly ('namespaces' | 'ssh' | 'mirror')[];
  /** Set when the user chooses what it boots, and by which emulator. */
  readonly bootsImages?: true;
  /** Set when its boards reach networks outside of this computer, and their ports can be reached from there. */
  readonly reachesOutside?: true;
  /** Why a scenario of several boards cannot run on it; left out where it can. */
  readonly alone?: string;
  /**
   * Puts this process where such a machine can be made. It may be started anew for that: nothing that has to be undone
   * may have happened before, and the new process is marked by `enteredMark`.
   */
  readonly enter?: (options: MachineOptions, signal: AbortSignal) => Promise<void>;
  /** Makes or fetches its parts; `say` is told how far that has come, and the start too. */
  readonly prepare: (options: MachineOptions, say: (text: string) => void, signal: AbortSignal) => Promise<Prepared>;
  /**
   * Makes a guest that has the lab's half in it: its files are `entries`, and whatever is booted lies in `folder`. Left
   * out where instructions cannot be counted.
   */
  readonly prepareCounted?: (
    options: MachineOptions,
    entries: readonly TreeEntry[],
    folder: string,
    say: (text: string) => void,
    signal: AbortSignal,
  ) => Promise<CountedGuest>;
  /** What is right and wrong with the board; left out where the lab makes the board itself. */
  readonly examine?: (signal: AbortSignal) => Promise<readonly CheckResult[]>;
  /**
   * Reaches one that was left running, by its run's folder; undefined when that run's machine is of another kind. A kind
   * without it is put back as it was after each run and cannot be left running. `exec` runs programs on it where another
   * process of the lab has it in use.
   */
  readonly openKept?: (folder: string, exec?: KeptMachine['exec']) => Promise<KeptMachine | undefined>;
};
