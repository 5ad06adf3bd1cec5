import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The external tree. */
export const tree: string = fileURLToPath(new URL('../../buildroot', import.meta.url));

export const read = (...parts: readonly string[]): Promise<string> => fs.readFile(path.join(tree, ...parts), 'utf8');

/** Names of the tree's own packages. */
export const packageNames = (): Promise<readonly string[]> => fs.readdir(path.join(tree, 'package'));

/** Names of its board configurations. */
export const defconfigs = (): Promise<readonly string[]> => fs.readdir(path.join(tree, 'configs'));

/** The lines of a defconfig that set something, `# … is not set` included. */
export const settings = (text: string): readonly string[] =>
  text.split('\n').filter((line) => /^(BR2_\w+=|# BR2_\w+ is not set$)/.test(line));
