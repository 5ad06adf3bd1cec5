import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { execa } from 'execa';
import type { Tools } from '../system/packages/tools.ts';

/** The bytes of an aarch64 program without its symbols, which only cost space on the board. */
export const strip = async (file: string, tools: Tools, signal?: AbortSignal): Promise<Buffer> => {
  const target = `${file}.stripped-${randomUUID()}`;
  try {
    const program = tools.program('usr/bin/aarch64-linux-gnu-strip');
    await execa(program.file, [...program.args, '-o', target, file], signal ? { cancelSignal: signal } : {});
    return await fs.readFile(target);
  } finally {
    await fs.rm(target, { force: true });
  }
};
