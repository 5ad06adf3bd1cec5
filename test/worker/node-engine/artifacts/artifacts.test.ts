import { createHash } from 'node:crypto';
import { open, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setInterval as every } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { maxBytes, save } from '../../../../worker/node-engine/artifacts/save.ts';
import { defaultSources } from '../../../../worker/node-engine/artifacts/sources.ts';
import { type Answer, component, digest, ownServer, setUp, startServer, whole } from '../support/artifact-server.ts';

const signal = new AbortController().signal;
const usual = { bytes: 4 * maxBytes, unusedMs: 86_400_000 };

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

t.test('a source that sends too little at a time is given up, and one that sends enough is not', async (t) => {
  const drops = async function* (bytes: number) {
    let left = bytes < 1000 ? Number.POSITIVE_INFINITY : 150;
    for await (const _ of every(20)) {
      yield Buffer.alloc(bytes);
      left -= 1;
      if (left === 0) return;
    }
  };
  await using file = await open(join(t.testdir({}), 'part'), 'w');
  const pace = { bytes: 4000, ms: 2000 };
  const from = (bytes: number) => save({ bytes: Readable.from(drops(bytes)) }, file, pace);
  await t.rejects(from(1), { name: 'FetchError', message: /sent less than 2 KB\/s for 2 s/ });
  t.match(await from(20_000), /^[0-9a-f]{64}$/);
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
  await t.rejects(cache.fetch(`http://${base}/file`, signal), /redirects to neither http nor https/);
});

t.test('what a server packs is unpacked, and is bounded then, too', async (t) => {
  const packed =
    (encoding: string, bytes: Buffer): Answer =>
    (response) =>
      response.writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length }).end(bytes);
  const { cache, folder, base } = await setUp(t, {
    '/gzip': packed('gzip', gzipSync(component)),
    '/br': packed('br', brotliCompressSync(component)),
    '/deflate': packed('deflate', deflateSync(component)),
    '/identity': packed('identity', component),
    '/cut': packed('gzip', gzipSync(component).subarray(0, 1000)),
    '/bomb': packed('gzip', gzipSync(Buffer.alloc(maxBytes + 1))),
    '/other': packed('zzz', component),
  });
  for (const name of ['gzip', 'br', 'deflate', 'identity'])
    t.equal((await cache.fetch(`http://${base}/${name}`, signal)).digest, digest, name);
  await t.rejects(cache.fetch(`http://${base}/cut`, signal), /the download broke off/);
  await t.rejects(cache.fetch(`http://${base}/bomb`, signal), /larger than 128 MB/);
  await t.rejects(cache.fetch(`http://${base}/other`, signal), /an encoding that is not known/);
  t.same(await readdir(folder), [`${digest}.wasm`]);
});

t.test('an account in a URL is used there alone, and never told', async (t) => {
  const asked: (string | undefined)[] = [];
  const other = await startServer(t, {
    '/a': (response, { headers }) => {
      asked.push(headers.authorization);
      response.end(component);
    },
  });
  const { cache, base } = await setUp(t, {
    '/a': (response, { headers }) => {
      asked.push(headers.authorization);
      response.writeHead(302, { location: `http://${other.base}/a` }).end();
    },
  });
  await cache.fetch(`http://user:p%40ss@${base}/a`, signal);
  t.same(asked, [`Basic ${Buffer.from('user:p@ss').toString('base64')}`, undefined]);
  await t.rejects(cache.fetch(`http://user:p%40ss@${base}/none`, signal), {
    message: `http://${base}/none answered 404`,
  });
});

t.test('what is not whole or not right never stays', async (t) => {
  const { cache, folder, base } = await setUp(t, {
    '/cut': (response) => {
      response.writeHead(200, { 'content-length': component.length }).write(component.subarray(0, 1000));
      setImmediate(() => response.destroy());
    },
    '/huge': (response) => void response.writeHead(200, { 'content-length': maxBytes + 1 }).write('x'),
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
  t.same(await readdir(folder), []);
});

t.test('interrupted downloads and what was not used for long are removed at the next start', async (t) => {
  const [old, fresh] = [`${'0'.repeat(64)}.wasm`, `${'1'.repeat(64)}.wasm`];
  const folder = t.testdir({ '12-3.part': 'half', [old]: 'old', [fresh]: 'new', other: 'of somebody else' });
  await utimes(join(folder, old), 1, 1);
  await new ArtifactCache(folder, ownServer, usual).prepare();
  t.same((await readdir(folder)).toSorted(), [fresh, 'other']);
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
  const budget = { ...usual, bytes: component.length };
  const cache = new ArtifactCache(folder, { ...defaultSources, folders: [sources] }, budget);
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

t.test('few downloads are under way at a time, and one that is given up lets the next one begin', async (t) => {
  const arrived: string[] = [];
  const names = Array.from({ length: 7 }, (_, index) => `/${index}`);
  const hanging = (response: ServerResponse, request: IncomingMessage) => {
    arrived.push(request.url ?? '');
    response.writeHead(200).write('x');
  };
  const { cache, base } = await setUp(t, Object.fromEntries(names.map((name) => [name, hanging])));
  const stops = names.map(() => new AbortController());
  const fetches = names.map((name, index) =>
    cache.fetch(`http://${base}${name}`, (stops[index] as AbortController).signal).catch(({ message }) => message),
  );
  const seen = (count: number) =>
    until(() => (arrived.length >= count ? true : undefined), deadline(120_000, `${count} downloads`));
  await seen(4);
  stops[6]?.abort(new Error('never begun'));
  t.equal(await fetches[6], 'never begun');
  t.equal(arrived.length, 4);
  stops[0]?.abort(new Error('given up'));
  t.equal(await fetches[0], 'given up');
  await seen(5);
  for (const stop of stops) stop.abort(new Error('the end'));
  await Promise.all(fetches);
  t.notOk(arrived.includes('/6'));
});

t.test('nobody else can read a component before it is known to be one', async (t) => {
  let finish = () => {};
  const { cache, folder, base } = await setUp(t, {
    '/slow': (response) => {
      response.write(component.subarray(0, 1000));
      finish = () => void response.end(component.subarray(1000));
    },
  });
  const fetching = cache.fetch(`http://${base}/slow`, signal);
  const part = await until(
    async () => (await readdir(folder)).find((name) => name.endsWith('.part')),
    deadline(120_000, 'the download'),
  );
  t.equal((await stat(join(folder, part))).mode & 0o777, 0o600);
  finish();
  t.equal((await stat((await fetching).file)).mode & 0o777, 0o644);
});
