import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { openBuildrootImage } from '../../lab/image/buildroot/boot.ts';
import { type BuildOptions, buildWithBuildroot } from '../../lab/image/buildroot/build.ts';
import { checkHostTools } from '../../lab/image/buildroot/host.ts';
import { outputFolder } from '../../lab/image/buildroot/output.ts';
import { messageOf } from '../../lab/system/errors.ts';
import { privateCache } from '../support/private.ts';

/** The smallest tree that talks as Buildroot does: two packages, of which `broken` fails when BROKEN is set. */
const makefile = `export BR2_VERSION := 2026.02.3
CONFIG = $(O)/.config

defconfig: ; cp $(BR2_DEFCONFIG) $(CONFIG)
savedefconfig: ; grep -v '^#' $(CONFIG) >$(BR2_DEFCONFIG)
show-info: ; @cat $(CURDIR)/info.json
oakestra-worker-rebuild: ; @echo '>>> oakestra-worker custom Building'
all: good broken ; @mkdir -p $(O)/images; echo card >>$(O)/images/sdcard.img
good: ; @echo '>>> good 1.0 Building'; echo compiling good
broken: ; @echo '>>> broken 2.0 Building'; echo broken.c:1: error; test -z '$(BROKEN)'
`;
const info = {
  good: { type: 'target', version: '1.0', downloads: [{ source: 'good.tar' }], stamp_dir: 'build/good' },
  broken: { type: 'target', version: '2.0', downloads: [{ source: 'broken.tar' }], stamp_dir: 'build/broken' },
};

const lacking = await Promise.resolve()
  .then(() => checkHostTools())
  .then(() => undefined, messageOf);

t.test('a build with Buildroot', { skip: lacking ?? false }, async (t) => {
  const tree = t.testdir({
    Makefile: makefile,
    'info.json': JSON.stringify(info),
    downloads: { good: { 'good.tar': 'good' }, broken: { 'broken.tar': 'an older one' } },
    standins: { 'local.mk': 'BROKEN_OVERRIDE_SRCDIR = /somewhere/broken-1.9\n' },
  });
  await using own = await privateCache([]);
  process.env['BR2_DL_DIR'] = path.join(tree, 'downloads');
  t.teardown(() => delete process.env['BR2_DL_DIR']);
  const said: string[] = [];
  const build = (more: Partial<BuildOptions> = {}) =>
    buildWithBuildroot({
      ...{ board: 'virt', tree, signal: AbortSignal.timeout(60_000), say: (text) => said.push(text) },
      ...{ standIns: path.join(tree, 'standins'), ...more },
    });

  await t.test('leaves the image, its bill of materials and where every source came from', async (t) => {
    const output = await build();
    t.match(said.join('\n'), /1\/2: oakestra-worker: Building\n.*: good: Building\n.*: broken: Building/);
    const { buildroot, inputs } = JSON.parse(await fs.readFile(path.join(output, 'lab-provenance.json'), 'utf8'));
    t.equal(buildroot, '2026.02.3');
    t.match(inputs, [
      { name: 'buildroot', detail: 'a tree of the user' },
      { name: 'source oakestra-worker', sha256: /^[0-9a-f]{64}$/ },
      { name: 'stand-in broken', detail: 'broken-1.9' },
      { name: 'source good', version: '1.0', sha256: /^770e607624d689/ },
    ]);
    t.equal(inputs.length, 4, 'a download that something stands in for is not named');
    t.same(JSON.parse(await fs.readFile(path.join(output, 'images/packages.json'), 'utf8')), info);
    t.equal(
      await fs.readFile(path.join(output, 'lab-logs/good.log'), 'utf8'),
      '>>> good 1.0 Building\ncompiling good\n',
    );
  });

  await t.test('lets an emulator that runs keep the card it has', async (t) => {
    const card = path.join(outputFolder('virt'), 'images/sdcard.img');
    await using opened = await fs.open(card);
    await build();
    t.equal(await opened.readFile('utf8'), 'card\n');
    t.equal(await fs.readFile(card, 'utf8'), 'card\n', 'the next one is another file');
  });

  await t.test('that fails names the package, the command and the last lines, and keeps its log', async (t) => {
    process.env['BROKEN'] = 'yes';
    t.teardown(() => delete process.env['BROKEN']);
    const failure = await build().catch((error: unknown) => error);
    t.match(failure, { fault: 'lab', next: [/lab-logs\/broken\.log$/] });
    t.match(
      messageOf(failure),
      /^broken failed at 'Building': \[Makefile:\d+: broken\] Error 1\nbroken\.c:1: error(\nmake: .*)+$/,
    );
    await t.rejects(openBuildrootImage({ board: 'virt', fromCard: false }), /there is no Buildroot image yet/);
  });

  await t.test('takes a configuration of the user and writes one, without building', async (t) => {
    const [given, saved] = [path.join(own.folder, 'given'), path.join(own.folder, 'saved')];
    await fs.writeFile(given, 'BR2_MINE=y\n');
    said.length = 0;
    await build({ defconfig: given, savedefconfig: saved });
    t.match(await fs.readFile(saved, 'utf8'), /^BR2_MINE=y$/m);
    t.same(said, ['Buildroot tree', 'configuration']);
    await t.rejects(build({ defconfig: path.join(own.folder, 'none') }), /the defconfig cannot be read/);
  });
});
