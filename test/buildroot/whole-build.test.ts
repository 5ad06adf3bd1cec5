import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openBuildrootImage } from '../../lab/image/buildroot/boot.ts';
import { type BuildOptions, buildWithBuildroot } from '../../lab/image/buildroot/build.ts';
import { checkHostTools } from '../../lab/image/buildroot/host.ts';
import { outputFolder } from '../../lab/image/buildroot/output.ts';
import { messageOf } from '../../lab/system/errors.ts';
import { findProgram } from '../../lab/system/programs.ts';
import { withoutDocker } from '../support/docker.ts';
import { privateCache } from '../support/files/private.ts';

/**
 * The smallest tree that talks as Buildroot does: two packages, of which `broken` fails when BROKEN is set, and `endless`
 * takes its time when ENDLESS is. Like Buildroot it takes a local.mk in the output folder.
 */
const makefile = `export BR2_VERSION := 2026.02.3
CONFIG = $(O)/.config
-include $(O)/local.mk

defconfig: ; cp $(BR2_DEFCONFIG) $(CONFIG)
menuconfig: ; @read -p 'answer? ' answer && test -t 1 && echo BR2_ANSWER=$$answer >>$(CONFIG)
savedefconfig: ; grep -v '^#' $(CONFIG) >$(BR2_DEFCONFIG)
show-info: ; @cat $(CURDIR)/info.json
oakestra-worker-rebuild: ; @echo '>>> oakestra-worker custom Building'
all: good broken ; @mkdir -p $(O)/images; echo card >>$(O)/images/sdcard.img
good: ; @echo '>>> good 1.0 Building'; echo compiling good; test -z '$(ENDLESS)' || sleep 1000
broken: ; @echo '>>> broken 2.0 Building'; echo broken.c:1: error; test -z '$(BROKEN)'
`;
const info = {
  good: { type: 'target', version: '1.0', downloads: [{ source: 'good.tar' }], stamp_dir: 'build/good' },
  broken: { type: 'target', version: '2.0', downloads: [{ source: 'broken.tar' }], stamp_dir: 'build/broken' },
};
const override = 'BROKEN_OVERRIDE_SRCDIR = /somewhere/broken-1.9\n';

const lacking = await Promise.resolve()
  .then(() => checkHostTools())
  .then(() => undefined, messageOf);
const noScript = findProgram('script') === undefined && 'no program script, which makes a terminal';
const main = fileURLToPath(new URL('../../lab/main.ts', import.meta.url));
const noEngine = await withoutDocker();

/** Ids of the containers that see something of a folder. */
const containersOn = async (folder: string): Promise<readonly string[]> => {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const running = await (await getContainerRuntimeClient()).container.list();
  return running.filter(({ Mounts }) => Mounts.some(({ Source }) => Source.startsWith(folder))).map(({ Id }) => Id);
};

const buildMs = 600_000;
t.setTimeout(2 * buildMs);

for (const { place, container, skip } of [
  { place: 'on this computer', container: false, skip: lacking },
  { place: 'in a container', container: true, skip: noEngine },
])
  t.test(`a build with Buildroot ${place}`, { skip: skip ?? false }, async (t) => {
    const tree = t.testdir({
      Makefile: makefile,
      'info.json': JSON.stringify(info),
      downloads: { good: { 'good.tar': 'good' }, broken: { 'broken.tar': 'an older one' } },
      standins: { 'local.mk': override },
      failing: { 'local.mk': `${override}BROKEN = yes\n` },
      endless: { 'local.mk': `${override}ENDLESS = yes\n` },
    });
    await using own = await privateCache([]);
    process.env['BR2_DL_DIR'] = path.join(tree, 'downloads');
    t.teardown(() => delete process.env['BR2_DL_DIR']);
    const said: string[] = [];
    const build = (more: Partial<BuildOptions> = {}) =>
      buildWithBuildroot({
        ...{ board: 'virt', tree, container, signal: AbortSignal.timeout(buildMs), say: (text) => said.push(text) },
        ...{ standIns: path.join(tree, 'standins'), ...more },
      });

    const words = [main, 'image', 'build', 'buildroot', '--tree', tree, ...(container ? ['--container'] : [])];

    await t.test('leaves the image, its bill of materials and where every source came from', async (t) => {
      const output = await build();
      t.match(said.join('\n'), /1\/3: oakestra-worker: Building\n.*: good: Building\n.*3\/3.*: broken: Building/);
      const { buildroot, inputs } = JSON.parse(await fs.readFile(path.join(output, 'lab-provenance.json'), 'utf8'));
      t.equal(buildroot, '2026.02.3');
      const buildHost = { name: 'container image', sha256: /^[0-9a-f]{64}$/, detail: /buildroot-tools:[0-9a-f]{12}$/ };
      t.match(inputs, [
        { name: 'buildroot', detail: 'a tree of the user' },
        { name: 'source oakestra-worker', sha256: /^[0-9a-f]{64}$/ },
        ...(container ? [buildHost] : []),
        { name: 'stand-in broken', detail: 'broken-1.9' },
        { name: 'source good', version: '1.0', sha256: /^770e607624d689/ },
      ]);
      t.equal(inputs.length, container ? 5 : 4, 'a download that something stands in for is not named');
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
      const failure = await build({ standIns: path.join(tree, 'failing') }).catch((error: unknown) => error);
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

    await t.test('lets the user edit the configuration on the terminal', { skip: noScript }, async (t) => {
      const saved = path.join(own.folder, 'answered');
      const command = [process.execPath, ...words, '--menuconfig', '--savedefconfig', saved].join(' ');
      const lab = spawn('script', ['-qefc', command, '/dev/null'], { stdio: 'pipe' });
      let shown = '';
      lab.stdout.on('data', (text) => {
        const before = shown.includes('answer?');
        shown += String(text);
        if (!before && shown.includes('answer?')) lab.stdin.write('yes\r');
      });
      t.same(await once(lab, 'close'), [0, null], shown);
      t.match(await fs.readFile(saved, 'utf8'), /^BR2_ANSWER=yes$/m);
    });

    await t.test('ends at once when interrupted: its files are the user’s, and nothing runs on', async (t) => {
      const lab = spawn(process.execPath, [...words, '--stand-ins', path.join(tree, 'endless')], { stdio: 'pipe' });
      let running: Promise<readonly string[]> | undefined;
      let said = '';
      lab.stderr.on('data', (text) => {
        said += String(text);
        if (running !== undefined || !said.includes('good: Building')) return;
        running = container ? containersOn(own.cache) : Promise.resolve([]);
        void running.finally(() => lab.kill('SIGINT'));
      });
      // on this computer its end says it, too: what runs on holds the build's output open
      t.same(await once(lab, 'close'), [130, null]);
      t.equal((await fs.stat(path.join(outputFolder('virt'), '.config'))).uid, process.getuid?.());
      t.equal((await running)?.length, container ? 1 : 0);
      if (container) t.same(await containersOn(own.cache), []);
    });
  });
