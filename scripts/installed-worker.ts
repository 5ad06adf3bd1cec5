import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildWorker } from '../lab/image/worker-bundle.ts';
import type { Subject } from '../test/conformance/world/subject.ts';

const overlay = new URL('../buildroot/overlay/usr/bin/', import.meta.url);

/** The words that a program of the overlay starts a daemon with, for this computer's Node and another folder. */
const wordsOf = async (program: string, bundles: string): Promise<string[]> => {
  const text = await readFile(new URL(program, overlay), 'utf8');
  const line = /^exec (?<words>.+) "\$@"$/m.exec(text)?.groups?.['words'];
  if (line === undefined) throw new Error(`${program} of the overlay has no line 'exec … "$@"'`);
  return line
    .split(' ')
    .map((word) => (word === 'node' ? process.execPath : word.replace('/usr/lib/oakestra', bundles)));
};

/** Bundles this project's worker into a folder; the commands start it as an image does. */
export const installedWorker = async (folder: string): Promise<Pick<Subject, 'netManager' | 'nodeEngine'>> => {
  const bundles = join(folder, 'worker');
  await buildWorker(bundles);
  return { netManager: await wordsOf('NetManager', bundles), nodeEngine: await wordsOf('NodeEngine', bundles) };
};
