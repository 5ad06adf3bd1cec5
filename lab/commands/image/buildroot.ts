import path from 'node:path';
import { buildWithBuildroot } from '../../image/buildroot/build.ts';
import { compareContents, readContents } from '../../image/buildroot/compare.ts';
import type { BuildrootBoard } from '../../image/buildroot/output.ts';
import { type CommandContext, printJson } from '../context.ts';

export type BuildrootFlags = {
  readonly board: BuildrootBoard;
  readonly tree?: string;
  readonly version?: string;
  readonly defconfig?: string;
  readonly menuconfig?: boolean;
  readonly savedefconfig?: string;
  readonly standIns?: string;
  readonly container?: boolean;
};

/** `image build buildroot`: steps on stderr, the folder of the result on stdout. */
export const buildBuildroot = async (flags: BuildrootFlags, { signal }: CommandContext): Promise<void> => {
  const output = await buildWithBuildroot({
    ...flags,
    say: (text) => process.stderr.write(`… ${text}\n`),
    signal,
  });
  if (flags.savedefconfig !== undefined) {
    process.stdout.write(`${flags.savedefconfig}\n`);
    return;
  }
  process.stdout.write(`${path.join(output, 'images')}\n`);
  if (flags.board === 'virt') process.stderr.write('boot it: npm run lab -- scenario bridged --image buildroot\n');
  else process.stderr.write(`write it to a card: ${path.join(output, 'images/sdcard.img')}\n`);
};

/** `image diff`: what two Buildroot outputs have in different ways. */
export const diffImages = async (
  before: string,
  after: string,
  { json }: { readonly json: boolean },
): Promise<void> => {
  const [first, second] = await Promise.all([readContents(before), readContents(after)]);
  const differences = compareContents(first, second);
  if (json) return printJson(differences);
  for (const { kind, name, before: was = '-', after: is = '-' } of differences)
    process.stdout.write(`${kind.padEnd(8)} ${name.padEnd(44)} ${was} -> ${is}\n`);
  if (differences.length === 0) process.stdout.write('the same packages, options and files\n');
};
