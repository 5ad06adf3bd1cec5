import { readFileSync } from 'node:fs';

const programs = new URL('../../buildroot/overlay/usr/bin/', import.meta.url);

/** The options that a daemon's Node is started with on a board, its bounds of memory among them. */
export const nodeOptions = (program: 'NetManager' | 'NodeEngine'): readonly string[] => {
  const words = readFileSync(new URL(program, programs), 'utf8').split(/\s+/);
  return words.filter((word) => word.startsWith('--'));
};
