import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import releases from '../../lab/image/buildroot/releases.json' with { type: 'json' };
import { provideTree } from '../../lab/image/buildroot/tree.ts';
import { messageOf } from '../../lab/system/errors.ts';
import { findProgram } from '../../lab/system/programs.ts';
import { defconfigs, read, settings, tree } from './tree.ts';

const own = process.env['BUILDROOT_DIR'];
const nightly = process.env['LAB_NIGHTLY'] !== undefined;

/** A tree to check with, or why there is none. */
type Candidate = { readonly name: string; readonly folder?: string; readonly skip?: string };

const download = async (version: string): Promise<Candidate> => {
  const name = `Buildroot ${version}`;
  if (!nightly) return { name, skip: 'BUILDROOT_DIR names no Buildroot tree, and LAB_NIGHTLY is not set' };
  return provideTree({ version }).then(
    ({ folder }) => ({ name, folder }),
    (error: unknown) => ({ name, skip: messageOf(error) }),
  );
};

const candidates: readonly Candidate[] = own
  ? [{ name: `the tree in ${own}`, folder: path.resolve(own) }]
  : await Promise.all(Object.keys(releases.commits).map(download));

const hasModules = (await execa('python3', ['-c', 'import magic, flake8'], { reject: false })).exitCode === 0;

for (const { name, folder, skip = false } of candidates)
  t.test(`with ${name}`, { skip, timeout: 300_000 }, async (t) => {
    if (folder === undefined) return;
    const output = t.testdir({});
    const make = (...args: readonly string[]) =>
      execa('make', ['-s', '-C', folder, `O=${output}`, `BR2_EXTERNAL=${tree}`, ...args], { stdin: 'ignore' });

    for (const board of await defconfigs())
      await t.test(`every line of ${board} survives`, async (t) => {
        await make(board);
        const config = new Set((await fs.readFile(path.join(output, '.config'), 'utf8')).split('\n'));
        t.same(
          settings(await read('configs', board)).filter((line) => !config.has(line)),
          [],
        );
        const packages = JSON.parse((await make('--no-print-directory', 'show-info')).stdout) as Record<
          string,
          unknown
        >;
        t.hasProps(packages, ['oakestra-worker', 'nodejs-prebuilt', 'wasmtime', 'iproute2', 'nftables']);
      });

    await t.test("the Raspberry Pi's image has every package that Buildroot's own for the board has", async (t) => {
      await make('oakestra_raspi4_64_defconfig');
      const config = await fs.readFile(path.join(output, '.config'), 'utf8');
      const theirs = await fs.readFile(path.join(folder, 'configs/raspberrypi4_64_defconfig'), 'utf8');
      const wanted = [...theirs.matchAll(/^BR2_PACKAGE_(?!HOST_LINUX_HEADERS)\w+=y$/gm)].map(([line]) => line);
      t.ok(wanted.includes('BR2_PACKAGE_KMOD=y'), 'its modules are compressed: busybox does not load them');
      t.same(
        wanted.filter((line) => !config.split('\n').includes(line)),
        [],
      );
    });

    const missing =
      (!hasModules && 'python3 has no modules magic and flake8') ||
      (findProgram('shellcheck') === undefined && 'not installed: shellcheck');
    await t.test('check-package has nothing to say', { skip: missing }, async (t) => {
      const files = (await fs.readdir(tree, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => path.join(parentPath, name))
        .filter((file) => !file.startsWith(path.join(tree, 'overlay')));
      const checked = await execa('python3', [path.join(folder, 'utils/check-package'), '-b', ...files], {
        reject: false,
      });
      t.equal(checked.exitCode, 0, { stdout: checked.stdout });
    });
  });
