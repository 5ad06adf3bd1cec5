import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { execa } from 'execa';
import type { Binutils } from '../system/packages/binutils.ts';

/** The bytes of a program without its symbols, which only cost space on the board. */
export const strip = async (file: string, { program }: Binutils, signal?: AbortSignal): Promise<Buffer> => {
  const target = `${file}.stripped-${randomUUID()}`;
  try {
    const { file: stripper, args } = program('strip');
    await execa(stripper, [...args, '-o', target, file], signal ? { cancelSignal: signal } : {});
    return await fs.readFile(target);
  } finally {
    await fs.rm(target, { force: true });
  }
};
