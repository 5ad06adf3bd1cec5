import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { link, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { isLocalAddress, lookupFor } from '../../../../worker/node-engine/artifacts/local-address.ts';
import { defaultSources, namesHost } from '../../../../worker/node-engine/artifacts/sources.ts';
import { fewInputs } from '../../../support/inputs.ts';
import { component, digest, setUp, startServer, whole } from '../support/artifact-server.ts';

const signal = new AbortController().signal;

t.test('files are read only from folders that conf.json names, and only regular ones without a detour', async (t) => {
  const root = t.testdir({
    components: { 'a.wasm': component, deeper: { 'b.wasm': component } },
    'secret.wasm': component,
  });
  const at = (...names: string[]) => join(root, ...names);
  await symlink(at('secret.wasm'), at('components/link.wasm'));
  await symlink(root, at('components/up'));
  await symlink('a.wasm', at('components/inner.wasm'));
  await link(at('secret.wasm'), at('components/hard.wasm'));
  await writeFile(at('components/text'), 'no component');
  execFileSync('mkfifo', [at('components/fifo')]);
  await symlink(at('components'), at('configured'));
  const cache = new ArtifactCache(at('cache'), { ...defaultSources, folders: [at('configured')] });
  await cache.prepare();
  for (const [image, reason] of [
    [at('components/a.wasm'), /none of the folders.*component_folders/],
    [at('configured-not/a.wasm'), /none of the folders/],
    [at('configured/../secret.wasm'), /none of the folders/],
    [`file://${root}/configured/%2e%2e/secret.wasm`, /none of the folders/],
    [at('configured'), /none of the folders/],
    ['/dev/zero', /none of the folders/],
    [at('configured/link.wasm'), /leads through a link/],
    [at('configured/inner.wasm'), /leads through a link/],
    [at('configured/up/secret.wasm'), /leads through a link/],
    [at('configured/hard.wasm'), /more than one name/],
    [at('configured/fifo'), /not a regular file/],
    [at('configured/deeper'), /not a regular file/],
    [at('configured/nothing'), /cannot be read.*/],
    [at('configured/text'), /not a WebAssembly binary/],
  ] as const)
    await t.rejects(cache.fetch(image, signal), reason, image);
  const wrong = `${at('configured/text')}#sha256=${digest}`;
  await t.rejects(cache.fetch(wrong, signal), {
    message: `the component's SHA-256 is another one, expected ${digest}`,
  });
  t.same(await readdir(at('cache')), []);
  t.equal((await cache.fetch(`file://${root}/configured/a.wasm`, signal)).digest, digest);
  t.equal((await cache.fetch(at('configured/deeper/b.wasm'), signal)).digest, digest);
  await t.rejects(
    new ArtifactCache(at('cache')).fetch(at('configured/a.wasm'), signal),
    /file references are off.*component_folders/,
  );
});

t.test('a folder that becomes a link while its file is opened leads nowhere else', async (t) => {
  const other = Buffer.concat([component, Buffer.from([0, 2, 1, 0x78])]);
  const root = t.testdir({ components: { sub: { 'a.wasm': component } }, elsewhere: { 'a.wasm': other } });
  const at = (...names: string[]) => join(root, ...names);
  const cache = new ArtifactCache(at('cache'), { ...defaultSources, folders: [at('components')] });
  await cache.prepare();
  let swapping = true;
  const swap = (async () => {
    while (swapping) {
      await rename(at('components/sub'), at('components/real'));
      await symlink(at('elsewhere'), at('components/sub'));
      await new Promise(setImmediate);
      await rename(at('components/sub'), at('components/gone'));
      await rename(at('components/real'), at('components/sub'));
      await new Promise(setImmediate);
    }
  })();
  const outcomes = new Set<string>();
  for (let attempt = 0; attempt < 200; attempt += 1)
    await cache.fetch(at('components/sub/a.wasm'), signal).then(
      (artifact) => outcomes.add(artifact.digest),
      () => undefined,
    );
  swapping = false;
  await swap;
  t.notOk(outcomes.has(createHash('sha256').update(other).digest('hex')));
});

t.test('this node and its link are no source unless conf.json allows the host', async (t) => {
  const { port } = await startServer(t, { '/a': whole });
  const { cache, base } = await setUp(t, {
    '/to-name': (response) => response.writeHead(302, { location: `http://localhost:${port}/a` }).end(),
    '/to-address': (response) => response.writeHead(302, { location: `http://[::1]:${port}/a` }).end(),
    '/v2/token/manifests/latest': (response) =>
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://169.254.169.254/token"' }).end(),
    '/to-metadata': (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
  });
  const refused = { name: 'FetchError', message: /allowed_local_hosts/ };
  for (const host of ['localhost', '127.0.0.2', '[::1]', '[::ffff:127.0.0.1]', '2130706434', '0.0.0.0', '0'])
    await t.rejects(cache.fetch(`http://${host}:${port}/a`, signal), refused, host);
  for (const registry of ['localhost:1', '127.0.0.2', '[fe80::1]:5000', '169.254.169.254'])
    await t.rejects(cache.fetch(`oci://${registry}/app`, signal), refused, registry);
  for (const path of ['to-name', 'to-address', 'to-metadata'])
    await t.rejects(cache.fetch(`http://${base}/${path}`, signal), refused, path);
  await t.rejects(cache.fetch(`${base}/token`, signal), refused, 'where a registry sends for a token');
  const strict = await setUp(t, { '/a': whole }, defaultSources);
  await t.rejects(strict.cache.fetch(`http://${strict.base}/a`, signal), refused);
  t.same(strict.asked, []);
  const named = await setUp(t, {}, { ...defaultSources, localHosts: [`localhost:${port}`] });
  t.equal((await named.cache.fetch(`http://localhost:${port}/a`, signal)).digest, digest);
});

t.test('local addresses in every notation', async (t) => {
  const octets = fc.tuple(fc.constantFrom(127, 0), fc.nat(255), fc.nat(255), fc.nat(255));
  const hex = (a: number, b: number) => ((a << 8) | b).toString(16);
  fc.assert(
    fc.property(octets, ([a, b, c, d]) => {
      const forms = [
        `${a}.${b}.${c}.${d}`,
        `::ffff:${a}.${b}.${c}.${d}`,
        `::ffff:${hex(a, b)}:${hex(c, d)}`,
        `0:0:0:0:0:ffff:${hex(a, b)}:${hex(c, d)}`,
        `64:ff9b::${hex(a, b)}:${hex(c, d)}`,
        `::${hex(a, b)}:${hex(c, d)}`,
      ];
      return forms.every(isLocalAddress);
    }),
    fewInputs(20_261_129),
  );
  for (const address of ['::1', '::', 'fe80::1', 'febf::1', 'fe80::1%eth0', '169.254.169.254', 'fd00:ec2::254'])
    t.ok(isLocalAddress(address), address);
  for (const address of [
    '10.0.0.1',
    '192.168.1.5',
    '172.16.0.1',
    '100.64.0.1',
    '8.8.8.8',
    '128.0.0.1',
    'fd12::1',
    'fec0::1',
    '::ffff:10.0.0.1',
    '2001:db8::1',
  ])
    t.notOk(isLocalAddress(address), address);
});

t.test('a name is judged by the address that it has when it is connected to', async (t) => {
  const lookup = lookupFor(new URL('http://localhost/'), []);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  lookup?.('localhost', { all: true }, resolve);
  t.match(await promise, { name: 'FetchError', message: /^localhost \((127\.0\.0\.1|::1)\) is this node/ });
  t.equal(lookupFor(new URL('http://localhost/'), ['localhost']), undefined);
});

t.test('hosts in conf.json', async (t) => {
  const https = new URL('https://Registry.lan/v2');
  t.ok(namesHost(['registry.lan'], https));
  t.ok(namesHost(['other', 'REGISTRY.lan:443'], https));
  t.notOk(namesHost(['registry.lan:80', 'lan', 'http://registry.lan', 'registry.lan/v2', '', '['], https));
  t.ok(namesHost(['registry.lan:80'], new URL('http://registry.lan')));
  t.ok(namesHost(['[fd00::1]:5000'], new URL('http://[fd00:0::1]:5000/')));
  t.ok(namesHost(['fd00::1'], new URL('http://[fd00::1]:5000/')));
  t.notOk(namesHost(['[fd00::1]:5001'], new URL('http://[fd00::1]:5000/')));
});
