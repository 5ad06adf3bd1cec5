import type { Input } from '../report/model/results.ts';
import type { Layer } from './layer.ts';

/** What a machine boots. Everything in it stands in `inputs` by digest. */
export type BootImage = {
  readonly name: string;
  /** SHA-256 over all that is booted: the image as a whole. */
  readonly digest: string;
  readonly kernel: string;
  /** For a kernel that does not find its root file system by itself. */
  readonly initramfs?: string | undefined;
  /** The device tree, for a machine that does not make its own. */
  readonly deviceTree?: string | undefined;
  /** What the image's own boot loader adds to the kernel's command line. */
  readonly commandLine?: string | undefined;
  /** The SD card, or the disk in its place, that the root file system is on; without one each layer is a disk. */
  readonly card?: string | undefined;
  /** The card is one run's own: what the guest writes to it stays, instead of going with the emulator. */
  readonly keepsWrites?: true;
  readonly layers: readonly Layer[];
  readonly bytes: number;
  readonly wasmtimeVersion: string;
  readonly inputs: readonly Input[];
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
};
