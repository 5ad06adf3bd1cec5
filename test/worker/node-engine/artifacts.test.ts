import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { InvalidData } from '../../../worker/contract/check.ts';
import { ArtifactCache, mostBytes } from '../../../worker/node-engine/artifacts/artifacts.ts';
import { FetchError } from '../../../worker/node-engine/artifacts/download.ts';
import { componentLayer, tokenUrl } from '../../../worker/node-engine/artifacts/oci.ts';
import { fewInputs } from '../../support/inputs.ts';
import { memoryFolder } from '../../support/memory-folder.ts';
import { fixture } from './daemon.ts';

const component = await readFile(fixture('hello-wasi-http'));
const digest = createHash('sha256').update(component).digest('hex');
const signal = new AbortController().signal;

type Answers = Readonly<Record<string, (response: ServerResponse, request: IncomingMessage) => void>>;

/** A server of files, an empty cache, and which paths were asked for. */
const setUp = async (t: Test, answers: Answers) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const answer = answers[path];
    if (answer) answer(response, request);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const folder = await memoryFolder(t);
  const cache = new ArtifactCache(folder);
  const base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { folder, cache, asked, base };
};

const whole = (response: ServerResponse) => response.end(component);

t.test('a component is fetched once, checked, and shared by its digest', async (t) => {
  const { cache, folder, asked, base } = await setUp(t, { '/a': whole });
  const image = `http://${base}/a#sha256=${digest.toUpperCase()}`;
  const [first] = await Promise.all([cache.fetch(image, signal), cache.fetch(image, signal)]);
  t.match(first, { digest, info: { kind: 'component' } });
  t.same(await Promise.all([cache.fetch(image, signal), cache.fetch(image, signal)]), [first, first]);
  t.equal(asked.length, 1);
  await cache.fetch(`http://${base}/a`, signal);
  t.equal(asked.length, 2, 'without a digest nobody knows whether it is still the same');
  await writeFile(first.file, 'damaged');
  t.same(await cache.fetch(image, signal), first, 'a damaged copy is not used');
  t.same(await readdir(folder), [`${digest}.wasm`]);
});

t.test('redirects are followed, but not for ever', async (t) => {
  const { cache, base } = await setUp(t, {
    '/moved': (response) => response.writeHead(302, { location: '/a' }).end(),
    '/a': whole,
    '/round': (response) => response.writeHead(301, { location: '/round' }).end(),
    '/file': (response) => response.writeHead(301, { location: 'file:///etc/passwd' }).end(),
  });
  t.equal((await cache.fetch(`http://${base}/moved`, signal)).digest, digest);
  await t.rejects(cache.fetch(`http://${base}/round`, signal), /redirects more than 5 times/);
  await t.rejects(cache.fetch(`http://${base}/file`, signal), /redirects from http: to file:/);
});

t.test('what is not whole or not right never stays', async (t) => {
  const { cache, folder, base } = await setUp(t, {
    '/cut': (response) => {
      response.writeHead(200, { 'content-length': component.length }).write(component.subarray(0, 1000));
      setImmediate(() => response.destroy());
    },
    '/huge': (response) => void response.writeHead(200, { 'content-length': mostBytes + 1 }).write('x'),
    '/text': (response) => response.end('hello'),
    '/half': (response) => response.end(component.subarray(0, 3000)),
    '/stuck': (response) => void response.writeHead(200).write('x'),
  });
  for (const [name, reason] of [
    ['cut', /the download broke off/],
    ['huge', /larger than 128 MB/],
    ['text', /does not begin with/],
    ['half', /truncated/],
    ['none', /answered 404/],
  ] as const)
    await t.rejects(cache.fetch(`http://${base}/${name}`, signal), reason, name);
  await t.rejects(cache.fetch(`http://${base}/text#sha256=${digest}`, signal), new RegExp(`expected ${digest}`));
  const stopping = new AbortController();
  const stuck = cache.fetch(`http://${base}/stuck`, stopping.signal);
  stopping.abort(new Error('deleted'));
  await t.rejects(stuck, /deleted/);
  await t.rejects(cache.fetch('/dev/zero', signal), /not a regular file/);
  await t.rejects(cache.fetch(folder, signal), /not a regular file/);
  t.same(await readdir(folder), []);
});

t.test('interrupted downloads are removed at the next start', async (t) => {
  const folder = t.testdir({ '12-3.part': 'half' });
  await new ArtifactCache(folder).prepare();
  t.same(await readdir(folder), []);
});

t.test('a full cache loses what nobody uses, and only that', async (t) => {
  const sources = t.testdir();
  const image = async (name: string) => {
    const custom = Buffer.from([0, name.length + 1, name.length, ...Buffer.from(name)]);
    const bytes = Buffer.concat([component, custom]);
    await writeFile(join(sources, name), bytes);
    return `${join(sources, name)}#sha256=${createHash('sha256').update(bytes).digest('hex')}`;
  };
  const folder = join(sources, 'cache');
  const cache = new ArtifactCache(folder, component.length);
  await cache.prepare();
  const used = await cache.fetch(await image('used'), signal);
  const again = await cache.fetch(await image('used'), signal);
  const unused = await cache.fetch(await image('unused'), signal);
  cache.release(unused);
  cache.release(again);
  const third = await cache.fetch(await image('third'), signal);
  t.same((await readdir(folder)).toSorted(), [used, third].map(({ digest }) => `${digest}.wasm`).toSorted());
  cache.release(used);
  cache.release(third);
  const last = await cache.fetch(await image('last'), signal);
  t.same(await readdir(folder), [`${last.digest}.wasm`]);
});

t.test('a registry is asked for the layer that holds the component, with a token when it wants one', async (t) => {
  const manifest = { layers: [{ mediaType: 'application/wasm', digest: `sha256:${digest}`, size: component.length }] };
  const allowed = ({ headers }: IncomingMessage) => headers.authorization === 'Bearer secret';
  const guarded =
    (give: (response: ServerResponse) => void) => (response: ServerResponse, request: IncomingMessage) => {
      const realm = `http://${request.headers.host}/token`;
      if (allowed(request)) give(response);
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s",scope="r"` }).end();
    };
  const { cache, base, asked } = await setUp(t, {
    '/v2/team/hello/manifests/1.0': guarded((response) => response.end(JSON.stringify(manifest))),
    [`/v2/team/hello/blobs/sha256:${digest}`]: guarded(whole),
    '/token?service=s&scope=r': (response) => response.end('{"token":"secret"}'),
    '/v2/team/wrong/manifests/latest': (response) =>
      response.end(JSON.stringify({ layers: [{ ...manifest.layers[0], digest: `sha256:${'0'.repeat(64)}` }] })),
    [`/v2/team/wrong/blobs/sha256:${'0'.repeat(64)}`]: whole,
  });
  t.equal((await cache.fetch(`oci://${base}/team/hello:1.0`, signal)).digest, digest);
  t.equal((await cache.fetch(`${base}/team/hello:1.0`, signal)).digest, digest);
  t.equal(asked.filter((path) => path.startsWith('/token')).length, 2);
  await t.rejects(cache.fetch(`${base}/team/wrong`, signal), /expected 0{64}/, "the registry's digest is checked");
  await t.rejects(cache.fetch(`${base}/team/none:2`, signal), /answered 404/);
});

t.test('a manifest that is pinned by its digest is taken only from a registry that serves that one', async (t) => {
  const text = (annotation: string) =>
    JSON.stringify({
      layers: [{ mediaType: 'application/wasm', digest: `sha256:${digest}`, size: component.length }],
      annotations: { annotation },
    });
  const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
  const honest = sha256(text('mine'));
  // As text, any byte that is no UTF-8 reads like any other.
  const [mine, foreign] = [0xff, 0xfe].map((byte) =>
    Buffer.concat([Buffer.from(text('')).subarray(0, -3), Buffer.from([byte]), Buffer.from('"}}')]),
  ) as [Buffer, Buffer];
  const { cache, folder, base } = await setUp(t, {
    [`/v2/hello/manifests/sha256:${honest}`]: (response) => response.end(text('mine')),
    [`/v2/other/manifests/sha256:${honest}`]: (response) => response.end(text('foreign')),
    [`/v2/bytes/manifests/sha256:${sha256(mine)}`]: (response) => response.end(foreign),
    [`/v2/hello/blobs/sha256:${digest}`]: whole,
    [`/v2/other/blobs/sha256:${digest}`]: whole,
    [`/v2/bytes/blobs/sha256:${digest}`]: whole,
  });
  const refusal = {
    name: 'FetchError',
    message: `the manifest's SHA-256 is ${sha256(text('foreign'))}, expected ${honest}`,
  };
  await t.rejects(cache.fetch(`${base}/other@sha256:${honest}`, signal), refusal);
  await t.rejects(
    cache.fetch(`${base}/other:1.0@sha256:${honest}`, signal),
    refusal,
    'a tag beside it changes nothing',
  );
  await t.rejects(cache.fetch(`${base}/bytes@sha256:${sha256(mine)}`, signal), { name: 'FetchError' }, 'bytes count');
  t.same(await readdir(folder), []);
  t.equal((await cache.fetch(`${base}/hello@sha256:${honest}`, signal)).digest, digest);
});

t.test('whatever a registry answers, it is a component or a clear refusal', async (t) => {
  const word = fc.stringMatching(/^[ -~]{0,40}$/);
  const layer = fc.record({ mediaType: fc.string(), digest: fc.constant(`sha256:${digest}`), size: fc.jsonValue() });
  const manifest = fc.oneof(
    fc
      .record({ layers: fc.oneof(fc.array(layer, { maxLength: 3 }), fc.jsonValue()) })
      .map((one) => JSON.stringify(one)),
    fc.json(),
    fc.string(),
  );
  const challenge = fc.oneof(
    word,
    word.map((realm) => `Bearer realm="${realm}"`),
  );
  let now = { status: 200, text: '', header: '' };
  const { cache, folder, base } = await setUp(t, {
    '/v2/any/manifests/1': (response) => {
      response.writeHead(now.status, { 'www-authenticate': now.header }).end(now.text);
    },
    [`/v2/any/blobs/sha256:${digest}`]: whole,
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(200, 200, 401, 404, 500), manifest, challenge, async (status, text, header) => {
      now = { status, text, header };
      const outcome = await cache.fetch(`${base}/any:1`, signal).then(
        (artifact) => artifact.digest === digest,
        (error: unknown) => error instanceof FetchError || error instanceof InvalidData,
      );
      return outcome && (await readdir(folder)).every((name) => name === `${digest}.wasm`);
    }),
    fewInputs(20_261_127),
  );
});

t.test('of several layers only the one of WebAssembly is taken', async (t) => {
  const layer = (mediaType: string) => ({ mediaType, digest, size: 1 });
  t.match(componentLayer({ layers: [layer('text/plain'), layer('application/wasm')] }), {
    mediaType: 'application/wasm',
  });
  t.equal(componentLayer({ layers: [layer('application/wasm'), layer('application/wasm')] }), undefined);
  t.equal(componentLayer({ layers: [] }), undefined);
  t.equal(tokenUrl('Basic realm="x"'), undefined);
  t.equal(tokenUrl('Bearer realm="https://a/b",scope="c:d"')?.href, 'https://a/b?scope=c%3Ad');
});
