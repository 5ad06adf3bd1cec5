import t from 'tap';
import settings from '../../../lab/settings.json' with { type: 'json' };
import { debianMirror, mirrorOf } from '../../../lab/system/packages/mirror.ts';

const mirror = (files: Readonly<Record<string, string>>, codename = 'trixie') =>
  mirrorOf(new Map(Object.entries(files)), codename);

t.test("the mirror of a Debian host's apt", async (t) => {
  const deb822 = `Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: trixie-security
Components: main
`;
  t.equal(mirror({ 'debian.sources': deb822 }), 'http://mirror.example/debian');
  t.equal(mirror({ 'debian.sources': deb822 }, 'bookworm'), undefined, "another release's entry is not this host's");
  const line = 'deb [arch=amd64 signed-by=/k.gpg] https://one.example/debian trixie main non-free-firmware';
  t.equal(
    mirror({ 'sources.list': `# deb http://no.example/debian trixie main\n${line}\n` }),
    'https://one.example/debian',
  );
  t.equal(
    mirror({ 'sources.list': 'deb   http://a.example/debian/   trixie   contrib main' }),
    'http://a.example/debian',
  );
});

t.test('what is not an offer of the release itself is passed over', async (t) => {
  t.equal(mirror({}), undefined);
  t.equal(mirror({ 'sources.list': '' }), undefined);
  t.equal(mirror({ 'sources.list': 'deb http://s.example/debian-security trixie-security main' }), undefined);
  t.equal(mirror({ 'sources.list': 'deb-src http://s.example/debian trixie main' }), undefined);
  t.equal(mirror({ 'sources.list': 'deb file:/srv/debian trixie main' }), undefined, 'not by HTTP');
  t.equal(
    mirror({ 'x.sources': 'Enabled: no\nTypes: deb\nURIs: http://off.example/\nSuites: trixie\nComponents: main' }),
    undefined,
  );
  t.equal(mirror({ 'docker.list': 'deb https://download.example/linux/debian trixie stable' }), undefined);
  const several = {
    'sources.list': 'deb cdrom:[Debian]/ trixie main',
    'a.sources': 'Types: deb-src\nURIs: http://src.example/debian\nSuites: trixie\nComponents: main',
    'b.sources': 'types: deb\nuris: http://b.example/debian http://c.example/debian\nsuites: trixie\ncomponents: main',
  };
  t.equal(mirror(several), 'http://b.example/debian', 'the first that fits');
});

t.test('LAB_DEBIAN_MIRROR goes before everything', async (t) => {
  const before = process.env['LAB_DEBIAN_MIRROR'];
  t.teardown(() => {
    if (before === undefined) delete process.env['LAB_DEBIAN_MIRROR'];
    else process.env['LAB_DEBIAN_MIRROR'] = before;
  });
  process.env['LAB_DEBIAN_MIRROR'] = 'http://mine.example/debian//';
  t.equal(debianMirror(), 'http://mine.example/debian');
  process.env['LAB_DEBIAN_MIRROR'] = '';
  t.match(debianMirror(), /^https?:\/\/\S+[^/]$/);
  t.match(settings.debianMirror, /^https?:\/\/deb\.debian\.org\//, 'the committed one is an official one');
});
