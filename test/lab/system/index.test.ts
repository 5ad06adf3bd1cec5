import fc from 'fast-check';
import t from 'tap';
import { messageOf } from '../../../lab/system/errors.ts';
import { fetchKeyring } from '../../../lab/system/packages/fetch.ts';
import { packageIndex, parseIndex } from '../../../lab/system/packages/index.ts';
import { debianMirror } from '../../../lab/system/packages/mirror.ts';
import { privateCache } from '../../support/files/private.ts';
import { serveHttp } from './server.ts';

const stanza = `Package: erofs-utils
Version: 1.8.6-1
Description: Package: not this one
 Filename: nor this
Filename: pool/main/e/erofs-utils/erofs-utils_1.8.6-1_amd64.deb
Size: 1234
SHA256: ${'ab'.repeat(32)}
`;

t.test('an index is read by stanzas', async (t) => {
  const index = parseIndex(
    `${stanza}\n${stanza.replaceAll('erofs-utils', 'other')}\nPackage: without-file\nVersion: 1\n`,
  );
  t.strictSame([...index.keys()], ['erofs-utils', 'other']);
  t.strictSame(index.get('erofs-utils'), {
    name: 'erofs-utils',
    version: '1.8.6-1',
    path: 'pool/main/e/erofs-utils/erofs-utils_1.8.6-1_amd64.deb',
    sha256: 'ab'.repeat(32),
    size: 1234,
  });
  const lines = fc.array(fc.oneof(fc.constantFrom(...stanza.split('\n')), fc.string()));
  fc.assert(
    fc.property(lines, (text) =>
      [...parseIndex(text.join('\n')).values()].every(
        ({ name, path, sha256 }) => name !== '' && path !== '' && sha256 !== '',
      ),
    ),
    { seed: 7 },
  );
});

const suite = 'trixie';
const part = { suite, component: 'main', architecture: 'arm64' };
const place = await privateCache(['packages']);
t.teardown(() => place[Symbol.asyncDispose]());
const signed = `${debianMirror()}/dists/${suite}/InRelease`;
const fetched = await fetch(signed, { signal: AbortSignal.timeout(120_000) })
  .then(
    (response) => (response.ok ? response.text() : Promise.reject(new Error(`HTTP ${response.status}`))),
    (error: unknown) => Promise.reject(new Error(messageOf(error))),
  )
  .then(
    (text) => ({ text, problem: false as const }),
    (error: unknown) => ({ text: '', problem: `no mirror: ${messageOf(error)}` }),
  );

/** What the lab says about a mirror with this release file. */
const judged = async (release: string): Promise<string> => {
  await using server = await serveHttp(({ url }, response) =>
    url === `/dists/${suite}/InRelease` ? response.end(release) : response.writeHead(404).end(),
  );
  return await packageIndex(server.url, part, await fetchKeyring()).then(() => 'taken', messageOf);
};

t.test("a release file is believed only with the archive's signature", { skip: fetched.problem }, async (t) => {
  const { text } = fetched;
  t.match(await judged(text), /by-hash|Packages\.xz: 404/, 'the genuine one leads on to the index');
  const digest = /^ ([0-9a-f]{64}) +\d+ main\/binary-arm64\/Packages\.xz$/m.exec(text)?.[1] ?? '';
  t.not(digest, '');
  t.match(
    await judged(
      text.replace(
        digest,
        digest.replace(/./, (digit) => (digit === '0' ? '1' : '0')),
      ),
    ),
    /signature of trixie is not/,
  );
  t.match(await judged(text.replace(/^Suite: .*$/m, 'Suite: unstable')), /signature of trixie is not/);
  t.match(await judged(text.replace(/^[A-Za-z0-9+/]{64}$/m, (line) => [...line].toReversed().join(''))), /\w/);
  t.not(await judged(text.replace(/-----BEGIN PGP SIGNATURE-----[\s\S]*/, '')), 'taken');
  t.not(await judged('Suite: trixie\n'), 'taken');
});

t.test('an index that is not the signed one is refused', { skip: fetched.problem }, async (t) => {
  await using server = await serveHttp(({ url }, response) =>
    response.end(url?.endsWith('InRelease') ? fetched.text : 'Package: evil\n'),
  );
  const keyring = await fetchKeyring();
  await t.rejects(packageIndex(server.url, part, keyring), {
    fault: 'lab',
    message: /SHA-256 is [0-9a-f]+, expected/,
  });
});
