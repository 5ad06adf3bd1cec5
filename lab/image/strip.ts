import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { execa } from 'execa';
import type { Architecture } from '../system/elf.ts';
import { fetchTools, type Program } from '../system/packages/tools.ts';

/** What takes the symbols out of one architecture's programs; `digest` is of the packages that it comes in. */
export type StripTools = {
  readonly program: Program;
  readonly digest: string;
  /** Packages whose locked version the mirror no longer had. */
  readonly unlocked: readonly string[];
};

const sets = { aarch64: 'image-tools', x86_64: 'image-tools-x86' } as const;

/** Gets what takes the symbols out of programs for an architecture. */
export const stripTools = async (architecture: Architecture, signal: AbortSignal | undefined): Promise<StripTools> => {
  const { program, digest, unlocked } = await fetchTools(sets[architecture], undefined, signal);
  return { program: program(`usr/bin/${architecture}-linux-gnu-strip`), digest, unlocked };
};

/** The bytes of a program without its symbols, which only cost space on the board. */
export const strip = async (file: string, { program }: StripTools, signal?: AbortSignal): Promise<Buffer> => {
  const target = `${file}.stripped-${randomUUID()}`;
  try {
    await execa(program.file, [...program.args, '-o', target, file], signal ? { cancelSignal: signal } : {});
    return await fs.readFile(target);
  } finally {
    await fs.rm(target, { force: true });
  }
};
