import fs from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { buildBoardCard } from '../../image/sd/board-card.ts';
import { flash } from '../../image/sd/flash.ts';
import { readBoardSettings } from '../../image/sd/settings.ts';
import { describeTarget, reasonNotFlashable } from '../../image/sd/target.ts';
import { usageFault } from '../../system/errors.ts';
import type { CommandContext } from '../context.ts';

const settingsFile = 'lab.settings.json';
const outputFile = 'dist/oakestra-raspi4.img';

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

/** Builds the card image of a real Raspberry Pi 4 with the settings of its owner. */
export const buildCard = async (
  { wasmtime }: { readonly wasmtime?: string },
  { signal }: CommandContext,
): Promise<void> => {
  const settings = await readBoardSettings(settingsFile);
  if (!settings?.sshKeys?.length)
    process.stderr.write(`${settingsFile} has no sshKeys: nobody will be able to log in, for there is no password\n`);
  const began = performance.now();
  let last = '';
  const { file } = await buildBoardCard({
    settings: settings ?? {},
    wasmtime,
    signal,
    say: (text) => {
      const phase = text.replace(/ \d+ %$/, '');
      if (phase !== last) process.stderr.write(`… ${phase}\n`);
      last = phase;
    },
  });
  await fs.mkdir(path.dirname(outputFile), { recursive: true });
  await fs.rm(outputFile, { force: true });
  await fs.copyFile(file, outputFile);
  process.stdout.write(`${outputFile} in ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
  process.stdout.write(`next: npm run lab -- image flash ${outputFile} /dev/…\n`);
};

const confirmed = async (question: string, signal: AbortSignal): Promise<boolean> => {
  if (!process.stdin.isTTY) throw usageFault('Not a terminal: use --yes');
  const dialogue = createInterface({ input: process.stdin, output: process.stderr });
  // a terminal that is asked on gives no signal by itself
  dialogue.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await dialogue.question(`${question} [y/N] `, { signal });
    const agreed = /^y(es)?$/i.test(answer.trim());
    return agreed;
  } finally {
    dialogue.close();
  }
};

const flashCard = async (
  image: string,
  device: string,
  { yes }: { readonly yes: boolean },
  { signal, exit }: CommandContext,
): Promise<void> => {
  const source = await fs.stat(image).catch(() => undefined);
  if (!source?.isFile())
    throw usageFault(`there is no image ${image}`, ['npm run lab -- image build debian --board raspi4']);
  const target = await describeTarget(device);
  const reason = reasonNotFlashable(target, source.size);
  if (reason !== undefined)
    throw usageFault(`nothing was written: ${reason}`, ['lsblk -o NAME,MODEL,SIZE,RM,MOUNTPOINTS']);
  const what = `${device}: ${target.model}, ${gigabytes(target.bytes)}`;
  if (!yes && !(await confirmed(`Everything on ${what} will be lost. Go on?`, signal))) {
    process.stderr.write('nothing was written\n');
    return exit(2);
  }
  let last = '';
  const digest = await flash(
    image,
    device,
    (phase, done, total) => {
      const text = `${phase} ${Math.floor((10 * done) / total) * 10} %`;
      if (text !== last) process.stderr.write(`… ${text}\n`);
      last = text;
    },
    signal,
  );
  process.stdout.write(`${what}: written and read back, sha256 ${digest}\n`);
};

export const addFlashCommand = (image: Command, context: CommandContext): void => {
  image
    .command('flash')
    .description('write an image to a card and read it back')
    .argument('<image>', 'the image, as image build leaves it in dist')
    .argument('<device>', 'a card or removable device, or an existing file')
    .option('--yes', 'do not ask', false)
    .addHelpText('after', '\nExample:\n  npm run lab -- image flash dist/oakestra-raspi4.img /dev/sdX')
    .action((file: string, device: string, flags: { readonly yes: boolean }) =>
      flashCard(file, device, flags, context),
    );
};
