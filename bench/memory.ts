import { readFile } from 'node:fs/promises';

/** A value in kB of a file like /proc/<pid>/status (proc(5)). */
export const kilobytes = async (file: string, key: string): Promise<number> =>
  Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(await readFile(file, 'utf8'))?.[1]);
