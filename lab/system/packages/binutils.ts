import type { Architecture } from '../elf.ts';
import { fetchTools, type Program } from './tools.ts';

/** GNU's tools for programs of one architecture; `digest` is of the packages that they come in. */
export type Binutils = {
  readonly digest: string;
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
  readonly program: (name: 'as' | 'ld' | 'strip') => Program;
};

const sets = { aarch64: 'image-tools', x86_64: 'image-tools-x86' } as const;

/** Gets GNU's tools for programs of an architecture, which need not be this computer's. */
export const fetchBinutils = async (architecture: Architecture, signal: AbortSignal | undefined): Promise<Binutils> => {
  const { digest, unlocked, program } = await fetchTools(sets[architecture], undefined, signal);
  return { digest, unlocked, program: (name) => program(`usr/bin/${architecture}-linux-gnu-${name}`) };
};
