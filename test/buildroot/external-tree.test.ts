import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import symbols from './buildroot-symbols.json' with { type: 'json' };
import { defconfigs, packageNames, read, settings, tree } from './tree.ts';

const keywords =
  /^(config|menuconfig|bool|string|default|depends on|select|help|if|endif|comment|source|choice|endchoice|prompt|menu|endmenu)\b/;

/** Symbols that a Kconfig file defines and uses; throws at a line that is not Kconfig. */
const parseKconfig = (name: string, text: string) => {
  const [defined, used] = [new Set<string>(), new Set<string>()];
  let inHelp = false;
  let depth = 0;
  for (const [at, line] of text.replaceAll('\\\n', ' ').split('\n').entries()) {
    if (inHelp && (line === '' || line.startsWith('\t  '))) continue;
    inHelp = false;
    const statement = line.trim();
    if (statement === '' || statement.startsWith('#')) continue;
    if (!keywords.test(statement)) throw new Error(`${name}:${at + 1}: not Kconfig: ${line}`);
    if (statement === 'help') inHelp = true;
    if (statement.startsWith('if ')) depth++;
    if (statement === 'endif') depth--;
    const definition = /^(?:menu)?config (\w+)$/.exec(statement)?.[1];
    if (definition !== undefined) defined.add(definition);
    else
      for (const [symbol] of statement
        .replace(/"[^"]*"/g, '')
        .split(' #')[0]
        ?.matchAll(/BR2_\w+/g) ?? [])
        used.add(symbol);
  }
  if (depth !== 0) throw new Error(`${name}: if without endif`);
  return { defined, used };
};

const known = new Set(symbols);
const kconfigs = await Promise.all(
  (await packageNames()).map(async (name) => parseKconfig(name, await read('package', name, 'Config.in'))),
);
const own = new Set(kconfigs.flatMap(({ defined }) => [...defined]));

t.test('every symbol that a package uses is its own or on the list of Buildroot symbols', async (t) => {
  const used = kconfigs.flatMap((kconfig) => [...kconfig.used]);
  t.same(
    used.filter((symbol) => !own.has(symbol) && !known.has(symbol)),
    [],
  );
});

t.test('every symbol that a board sets is the tree’s own or on the list, and none is set twice', async (t) => {
  for (const name of await defconfigs()) {
    const set = settings(await read('configs', name)).map((line) => /BR2_\w+/.exec(line)?.[0] ?? '');
    t.same(
      set.filter((symbol) => !own.has(symbol) && !known.has(symbol)),
      [],
      name,
    );
    t.equal(new Set(set).size, set.length, name);
  }
});

t.test('the list has no symbol that nothing uses', async (t) => {
  const boards = await Promise.all((await defconfigs()).map((name) => read('configs', name)));
  const used = new Set([
    ...kconfigs.flatMap((kconfig) => [...kconfig.used]),
    ...boards.flatMap((text) => [...text.matchAll(/BR2_\w+/g)].map(([symbol]) => symbol)),
  ]);
  t.same(
    symbols.filter((symbol) => !used.has(symbol)),
    [],
  );
});

t.test('boards agree on what they have in common', async (t) => {
  const boards = await Promise.all((await defconfigs()).map(async (name) => settings(await read('configs', name))));
  const common = [
    'BR2_REPRODUCIBLE=y',
    'BR2_DOWNLOAD_FORCE_CHECK_HASHES=y',
    'BR2_ROOTFS_MERGED_USR=y',
    '# BR2_TARGET_ENABLE_ROOT_LOGIN is not set',
    'BR2_PACKAGE_OAKESTRA_WORKER=y',
  ];
  for (const board of boards)
    t.same(
      common.filter((line) => !board.includes(line)),
      [],
    );
});

t.test('each package is sourced and has its three files', async (t) => {
  const config = await read('Config.in');
  for (const name of await packageNames()) {
    t.match(config, `source "$BR2_EXTERNAL_OAKESTRA_PATH/package/${name}/Config.in"`);
    t.match(await read('package', name, `${name}.mk`), /^\$\(eval \$\(generic-package\)\)$/m);
    await fs.access(path.join(tree, 'package', name, `${name}.hash`));
  }
});

/** Sources whose project published no hash: who wants one of them gives the hash (package/wasmtime/Config.in). */
const withoutHash = /^wasmtime-v28\.0\.0-/;

t.test('the hash of every source and licence is there, for both architectures', async (t) => {
  for (const name of await packageNames()) {
    const makefile = await read('package', name, `${name}.mk`);
    const all = (pattern: RegExp) => [...makefile.matchAll(pattern)].map(([, ...groups]) => groups);
    const architectures = all(/_ARCH = (\S+)/g).flat();
    const sources = all(/_VERSION = ([^\n]*)\n.*?_SOURCE = ([^\n]*)/gs).flatMap(([version = '', source = '']) =>
      architectures.map((architecture) =>
        source.replace(/\$\(\w+_VERSION\)/g, version).replace(/\$\(\w+_ARCH\)/g, architecture),
      ),
    );
    const hashes = await read('package', name, `${name}.hash`);
    for (const line of hashes.split('\n').filter((text) => text !== '' && !text.startsWith('#')))
      t.match(line, /^(sha256 {2}[0-9a-f]{64}|sha512 {2}[0-9a-f]{128}) {2}\S+$/);
    for (const file of [...sources, ...all(/_LICENSE_FILES = (\S+)/g).flat()])
      t.ok(withoutHash.test(file) || hashes.split('\n').some((line) => line.endsWith(`  ${file}`)), `${name}: ${file}`);
  }
});

t.test('files that a configuration names exist', async (t) => {
  for (const name of await defconfigs())
    for (const [, file = ''] of (await read('configs', name)).matchAll(/\$\(BR2_EXTERNAL_OAKESTRA_PATH\)\/([^\s"]+)/g))
      await t.resolves(fs.access(path.join(tree, file)), `${name}: ${file}`);
});

t.test('the kernel options that wasmtime and the networks need are asked for', async (t) => {
  const fragment = await read('board', 'common', 'linux.fragment');
  for (const option of [
    'VETH',
    'BRIDGE',
    'NFT_MASQ',
    'NET_FOU',
    'NET_FOU_IP_TUNNELS',
    'IPV6_SIT',
    'NFT_REJECT_IPV4',
    'NFT_REJECT_IPV6',
    'NFT_DUP_IPV4',
    'NET_IPIP',
    'VXLAN',
    'NET_SCH_NETEM',
    'EROFS_FS',
    'SQUASHFS',
  ])
    t.match(fragment, new RegExp(`^CONFIG_${option}=y$`, 'm'));
  t.match(await read('board', 'common', 'linux-arm64.fragment'), /^CONFIG_ARM64_VA_BITS_48=y$/m);
});

t.test('programs and scripts can be executed, and nothing else can', async (t) => {
  const files = (await fs.readdir(path.join(tree, 'board'), { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  for (const { parentPath, name } of files) {
    const file = path.join(parentPath, name);
    const isProgram = (await fs.readFile(file, 'utf8')).startsWith('#!');
    t.equal(((await fs.stat(file)).mode & 0o100) !== 0, isProgram, path.relative(tree, file));
  }
});
