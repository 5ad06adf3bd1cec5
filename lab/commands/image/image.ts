import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Argument, type Command, Option } from 'commander';
import { buildrootBoards } from '../../image/buildroot/output.ts';
import { buildDebianImage } from '../../image/debian/build.ts';
import { type ImageKind, imageKinds } from '../../machine/kind.ts';
import { machineKind } from '../../machine/machines.ts';
import { cachePath, writeAtomically } from '../../system/files/cache.ts';
import { relock } from '../../system/packages/relock.ts';
import { type CommandContext, printJson } from '../context.ts';
import { preflight } from '../preflight/preflight.ts';
import { type BuildrootFlags, buildBuildroot, diffImages } from './buildroot.ts';
import { addFlashCommand, buildCard } from './card.ts';

const lockFile = fileURLToPath(new URL('../../system/packages/packages.lock.json', import.meta.url));
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

type QuickFlags = { readonly wasmtime?: string; readonly json: boolean };

const build = async (flags: QuickFlags, { signal }: CommandContext) => {
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
  await writeAtomically(lockFile, `${JSON.stringify(renewed, undefined, 2)}\n`);
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

type BuildFlags = QuickFlags & BuildrootFlags;

const buildKind = async (kind: ImageKind, flags: BuildFlags, context: CommandContext): Promise<void> => {
  await preflight({ kinds: [machineKind('virt')], wasmtime: flags.wasmtime }, context.signal);
  if (kind === 'buildroot') await buildBuildroot(flags, context);
  else if (flags.board === 'raspi4') await buildCard(flags, context);
  else await build(flags, context);
};

export const addImageCommand = (program: Command, context: CommandContext): void => {
  const image = program.command('image').description('build, lock, compare and list images');
  image
    .command('build')
    .description('build an image for a board; a scenario builds the quick one by itself')
    .addArgument(
      new Argument('<kind>', 'quick, of Debian packages, or the product image, from sources').choices(imageKinds),
    )
    .option('--wasmtime <version|path>', 'debian: another wasmtime')
    .option('--json', 'debian: the image as one JSON document on stdout', false)
    .addOption(
      new Option('--board <name>', 'what it is for: QEMU, or the card of a real Raspberry Pi 4')
        .choices(Object.keys(buildrootBoards))
        .default('virt'),
    )
    .option('--version <version>', 'buildroot: another pinned release')
    .option('--tree <folder>', 'buildroot: a Buildroot tree of your own')
    .option('--defconfig <file>', "buildroot: a configuration in place of the board's")
    .option('--menuconfig', 'buildroot: edit the configuration before it is used')
    .option('--savedefconfig <file>', 'buildroot: write the configuration to a file and build nothing')
    .option('--stand-ins <folder>', 'buildroot: local.mk and fragment.config in place of unreachable sources')
    .option('--container', "buildroot: build in a container (Docker), not with this computer's tools")
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- image build debian\n  npm run lab -- image build buildroot --board raspi4\n  npm run lab -- image build buildroot --menuconfig --savedefconfig my_defconfig',
    )
    .action((kind: ImageKind, flags: BuildFlags) => buildKind(kind, flags, context));
  addFlashCommand(image, context);
  image
    .command('diff')
    .description('compare two images: packages, options, files')
    .argument('<before>', 'the output folder of Buildroot')
    .argument('<after>', 'the output folder of the other image')
    .option('--json', 'the differences as one JSON document on stdout', false)
    .addHelpText('after', '\nExample:\n  npm run lab -- image diff ./output-before ./output-after')
    .action(diffImages);
  image
    .command('lock')
    .description('renew the lock of all Debian packages (needs a host with apt)')
    .addHelpText('after', '\nExample:\n  npm run lab -- image lock && git diff lab/system/packages')
    .action(() => lock(context));
  image
    .command('list')
    .description('list the layers in the cache')
    .addHelpText('after', '\nExample:\n  npm run lab -- image list')
    .action(list);
};
