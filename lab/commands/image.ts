import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Argument, type Command } from 'commander';
import { buildDebianImage } from '../image/debian/build.ts';
import { cachePath, writeWhole } from '../system/cache.ts';
import { relock } from '../system/packages/relock.ts';
import { type CommandContext, printJson } from './context.ts';

const lockFile = fileURLToPath(new URL('../system/packages/packages.lock.json', import.meta.url));
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

const build = async (flags: { readonly wasmtime?: string; readonly json: boolean }, { signal }: CommandContext) => {
  const began = performance.now();
  let last = '';
  const image = await buildDebianImage({
    board: 'virt',
    wasmtime: flags.wasmtime,
    signal,
    say: (text) => {
      const phase = text.replace(/ \d+ %$/, '');
      if (phase !== last) process.stderr.write(`… ${phase}\n`);
      last = phase;
    },
  });
  if (flags.json) return printJson(image);
  process.stdout.write(
    `image ${image.name}, ${megabytes(image.bytes)}, in ${((performance.now() - began) / 1000).toFixed(1)} s\n` +
      `sha256 ${image.digest}\n` +
      image.inputs
        .map(({ name, version = '', sha256 = '' }) => `  ${name.padEnd(18)} ${version.padEnd(28)} ${sha256}\n`)
        .join(''),
  );
  for (const change of image.unlocked) process.stderr.write(`unlocked: ${change}\n`);
};

const lock = async ({ signal }: CommandContext) => {
  process.stderr.write('… resolving packages with apt, in a world of its own\n');
  const renewed = await relock(signal);
  await writeWhole(lockFile, `${JSON.stringify(renewed, undefined, 2)}\n`);
  for (const [set, packages] of Object.entries(renewed.sets))
    process.stdout.write(
      `${set.padEnd(20)} ${packages.length} packages, ${megabytes(packages.reduce((sum, { size }) => sum + size, 0))}\n`,
    );
};

const list = async () => {
  const layers = await fs.readdir(cachePath('layers')).catch(() => []);
  for (const name of layers.filter((layer) => layer.endsWith('.erofs')).toSorted())
    process.stdout.write(`${name.padEnd(40)} ${megabytes((await fs.stat(cachePath('layers', name))).size)}\n`);
};

export const addImageCommand = (program: Command, context: CommandContext): void => {
  const image = program.command('image').description('build, lock and list images');
  image
    .command('build')
    .description('build an image for a board; a scenario does this by itself')
    .addArgument(new Argument('<kind>').choices(['debian']))
    .option('--wasmtime <version|path>', 'another wasmtime')
    .option('--json', 'the image as one JSON document on stdout', false)
    .addHelpText('after', '\nExample:\n  npm run lab -- image build debian')
    .action((_kind: string, flags: { readonly wasmtime?: string; readonly json: boolean }) => build(flags, context));
  image
    .command('lock')
    .description('renew the lock of all Debian packages (needs a host with apt)')
    .action(() => lock(context));
  image.command('list').description('list the layers in the cache').action(list);
};
