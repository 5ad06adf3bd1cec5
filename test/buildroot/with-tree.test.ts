import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { defconfigs, read, settings, tree } from './tree.ts';

const buildroot = process.env['BUILDROOT_DIR'];
const skip = buildroot === undefined ? 'BUILDROOT_DIR names no Buildroot tree' : false;

t.test('with a Buildroot tree', { skip, timeout: 300_000 }, async (t) => {
  if (buildroot === undefined) return;
  const output = t.testdir({});
  const make = (...args: readonly string[]) =>
    execa('make', ['-s', '-C', buildroot, `O=${output}`, `BR2_EXTERNAL=${tree}`, ...args], { stdin: 'ignore' });

  for (const name of await defconfigs())
    await t.test(`every line of ${name} survives`, async (t) => {
      await make(name);
      const config = new Set((await fs.readFile(path.join(output, '.config'), 'utf8')).split('\n'));
      t.same(
        settings(await read('configs', name)).filter((line) => !config.has(line)),
        [],
      );
      const packages = JSON.parse((await make('--no-print-directory', 'show-info')).stdout) as Record<string, unknown>;
      t.hasProps(packages, ['oakestra-worker', 'nodejs-prebuilt', 'wasmtime', 'iproute2', 'nftables']);
    });

  const needs = await execa('python3', ['-c', 'import magic, flake8'], { reject: false });
  const missing = needs.exitCode === 0 ? false : 'python3 has no modules magic and flake8';
  await t.test('check-package has nothing to say', { skip: missing }, async (t) => {
    const files = (await fs.readdir(tree, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => path.join(parentPath, name))
      .filter((file) => !file.startsWith(path.join(tree, 'overlay')));
    const checked = await execa('python3', [path.join(buildroot, 'utils/check-package'), '-b', ...files], {
      reject: false,
    });
    t.equal(checked.exitCode, 0, checked.stdout);
  });
});
