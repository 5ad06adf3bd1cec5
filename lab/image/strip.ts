import fs from 'node:fs/promises';
import { execa } from 'execa';
import type { Tools } from '../system/packages/tools.ts';

/** An aarch64 program without its symbols, which only cost room on the board. */
export const stripped = async (file: string, tools: Tools, signal?: AbortSignal): Promise<Buffer> => {
  const target = `${file}.stripped-${process.pid}`;
  try {
    const strip = tools.program('usr/bin/aarch64-linux-gnu-strip');
    await execa(strip.file, [...strip.args, '-o', target, file], signal ? { cancelSignal: signal } : {});
    return await fs.readFile(target);
  } finally {
    await fs.rm(target, { force: true });
  }
};
