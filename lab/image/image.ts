import type { Input } from '../report/results.ts';
import type { Layer } from './layer.ts';

/** What a machine boots. Everything in it stands in `inputs` by digest. */
export type BootImage = {
  readonly name: string;
  /** SHA-256 over kernel, initramfs and layers: the image as a whole. */
  readonly digest: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly layers: readonly Layer[];
  readonly bytes: number;
  readonly wasmtimeVersion: string;
  readonly inputs: readonly Input[];
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
};
