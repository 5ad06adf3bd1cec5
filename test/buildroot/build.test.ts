import path from 'node:path';
import t from 'tap';
import { compareContents, parseOptions } from '../../lab/image/buildroot/compare.ts';
import { checkEngine, checkHostTools } from '../../lab/image/buildroot/host.ts';
import { BuildProgress, minutesLeft, parseFailure, parseStep } from '../../lab/image/buildroot/progress.ts';
import { parseOverrides, readStandIns } from '../../lab/image/buildroot/standins.ts';
import { provideTree } from '../../lab/image/buildroot/tree.ts';

t.test('steps are read from Buildroot’s own announcements', async (t) => {
  t.same(parseStep('\u001b[7m>>> iproute2 6.17.0 Building\u001b[27m'), { package: 'iproute2', step: 'Building' });
  t.same(parseStep('\u001b[7m>>> toolchain  Installing to target\u001b[27m'), {
    package: 'toolchain',
    step: 'Installing to target',
  });
  t.same(parseStep('>>>   Finalizing target directory'), { package: 'image', step: 'Finalizing target directory' });
  t.equal(parseStep('gcc -c main.c >>> log'), undefined);
});

t.test('a failed build says which package, which command, and the last lines', async (t) => {
  const progress = new BuildProgress(['busybox', 'iproute2']);
  t.equal(progress.take('>>> busybox 1.37.0 Building', 0), '1/2: busybox: Building');
  progress.take('a line of busybox', 1);
  t.equal(progress.take('>>> iproute2 6.17.0 Building', 900_000), '2/2, about 2 min left: iproute2: Building');
  progress.take('ip.c:3: error: no such thing', 900_001);
  progress.take('make[1]: *** [package/pkg-generic.mk:273: build/.stamp_built] Error 2', 900_002);
  progress.take('make: *** [Makefile:83: _all] Error 2', 900_003);
  t.equal(progress.package, 'iproute2');
  const said = progress.failure();
  t.match(said, /^iproute2 failed at 'Building': \[package\/pkg-generic\.mk:273/);
  t.match(said, 'ip.c:3: error: no such thing');
  t.notMatch(said, 'a line of busybox');
});

t.test('the time left follows from what was built, with the kernel counted for what it costs', async (t) => {
  const all = ['linux', ...Array.from({ length: 20 }, (_, index) => `small${index}`)];
  const minute = 60_000;
  t.equal(minutesLeft(all, all.slice(1, 3), minute), undefined, 'too early to say');
  t.equal(minutesLeft(all, all.slice(1, 11), minute), 11, 'the kernel is still to come');
  t.equal(minutesLeft(all, all.slice(0, 11), 10 * minute), 1);
  t.equal(minutesLeft(all, [...all, 'oakestra-worker'], minute), undefined, 'more than was to be done');
  t.equal(minutesLeft([], [], minute), undefined, 'nothing was to be done');
});

t.test('tools that the computer lacks are named, with the packages that have them', async (t) => {
  t.doesNotThrow(() => checkHostTools(() => true));
  t.throws(() => checkHostTools((name) => !['g++', 'xz'].includes(name)), {
    message: /lacks: g\+\+, xz/,
    next: ['sudo apt-get install g++ xz-utils'],
  });
});

t.test('a build in a container says what to do where no engine answers', async (t) => {
  const before = process.env['DOCKER_HOST'];
  process.env['DOCKER_HOST'] = `unix://${t.testdir({})}/none.sock`;
  t.teardown(() => {
    if (before === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = before;
  });
  await t.rejects(checkEngine(), { fault: 'lab', message: /none\.sock does not exist$/, next: [/DOCKER_HOST/] });
});

t.test('only make’s own verdict counts as a failure', async (t) => {
  t.equal(parseFailure('checking for *** in printf... yes'), undefined);
  t.equal(parseFailure('make: *** No rule to make target'), 'No rule to make target');
});

t.test('whatever stands in for a source is named', async (t) => {
  const folder = t.testdir({
    'local.mk': 'HOST_M4_OVERRIDE_SRCDIR = /somewhere/m4-1.4.19\nIPROUTE2_OVERRIDE_SRCDIR := /x/iproute2-6.1\n',
    'fragment.config': '# BR2_PACKAGE_QEMU is not set\n',
  });
  const { inputs, fragment } = await readStandIns(folder);
  t.equal(fragment, '# BR2_PACKAGE_QEMU is not set\n');
  t.match(inputs, [
    { name: 'stand-in fragment', sha256: /^[0-9a-f]{64}$/ },
    { name: 'stand-in host-m4', detail: 'm4-1.4.19' },
    { name: 'stand-in iproute2', detail: 'iproute2-6.1' },
  ]);
  t.same(parseOverrides('# nothing\n'), []);
  await t.rejects(readStandIns(t.testdir({})), /neither fragment\.config nor local\.mk/);
});

t.test('a tree is known by its Makefile, and a release has to be pinned', async (t) => {
  const folder = t.testdir({ Makefile: 'all:\nexport BR2_VERSION := 2026.02.3\n' });
  t.same(await provideTree({ tree: folder }), { folder, version: '2026.02.3', pinned: false });
  await t.rejects(provideTree({ tree: path.join(folder, 'missing') }), /is not a Buildroot tree/);
  await t.rejects(
    provideTree({ version: '1999.01' }),
    /no pinned Buildroot 1999\.01: there are 2024\.02\.9, 2026\.02\.3/,
  );
});

t.test('two images differ in what was added, removed and changed', async (t) => {
  const contents = (packages: Record<string, string>, config: string) => ({
    file: new Map<string, string>(),
    package: new Map(Object.entries(packages)),
    option: parseOptions(config),
  });
  const before = contents({ wasmtime: '48.0.2', nano: '8.0' }, 'BR2_A=y\n# BR2_B is not set\n');
  const after = contents({ wasmtime: '49.0.0', dbus: '1.16' }, 'BR2_A=y\nBR2_B="x"\n');
  t.same(compareContents(before, after), [
    { kind: 'package', name: 'dbus', before: undefined, after: '1.16' },
    { kind: 'package', name: 'nano', before: '8.0', after: undefined },
    { kind: 'package', name: 'wasmtime', before: '48.0.2', after: '49.0.0' },
    { kind: 'option', name: 'BR2_B', before: undefined, after: '"x"' },
  ]);
  t.same(compareContents(after, after), []);
});
