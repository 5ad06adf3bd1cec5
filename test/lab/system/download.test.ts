import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { sha256 } from '../../../lab/system/files/digest.ts';
import { download, NotFound } from '../../../lab/system/internet/download.ts';
import { until } from '../../../lab/system/wait.ts';
import { privateCache } from '../../support/files/private.ts';
import { serveHttp } from './server.ts';

const content = randomBytes(300_000);
const digest = sha256(content);

const soon = () => AbortSignal.timeout(60_000);

/** Whether so many bytes of a file have come: what is still on its way when a connection breaks may be lost. */
const partial = (file: string, bytes: number) => async () =>
  (await fs.stat(`${file}.partial`).catch(() => undefined))?.size === bytes || undefined;

t.test('a transfer that breaks off is resumed, not begun anew', async (t) => {
  await using place = await privateCache([]);
  const file = path.join(place.folder, 'a.deb');
  let cuts = 0;
  await using server = await serveHttp((request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from });
    if (cuts++ < 2) {
      response.write(content.subarray(from, from + 100_000));
      void until(partial(file, from + 100_000), soon()).then(() => response.destroy());
    } else response.end(content.subarray(from));
  });
  await download(`${server.url}/a.deb`, digest, file);
  t.ok((await fs.readFile(file)).equals(content));
  t.match(
    server.requests.map(({ headers }) => headers.range),
    [undefined, /^bytes=\d+-$/, /^bytes=\d+-$/],
  );
  t.strictSame((await fs.readdir(place.folder)).toSorted(), ['a.deb', 'home'], 'no partial file and no lock stays');
  await download(`${server.url}/a.deb`, digest, file);
  t.equal(server.requests.length, 3, 'what is there is not fetched again');
});

t.test('a server that does not resume sends everything anew', async (t) => {
  await using place = await privateCache([]);
  const file = path.join(place.folder, 'a.deb');
  await fs.writeFile(`${file}.partial`, 'half of something else');
  await using server = await serveHttp((_request, response) => response.end(content));
  await download(server.url, digest, file);
  t.ok((await fs.readFile(file)).equals(content));
});

t.test('what a killed lab left half-written is not trusted', async (t) => {
  await using place = await privateCache([]);
  const file = path.join(place.folder, 'a.deb');
  await fs.writeFile(`${file}.partial`, Buffer.alloc(content.length + 5));
  await using server = await serveHttp(({ headers }, response) => {
    if (headers.range === undefined) response.end(content);
    else response.writeHead(416).end();
  });
  await download(server.url, digest, file);
  t.ok((await fs.readFile(file)).equals(content));
});

t.test('a file with another digest is never kept', async (t) => {
  await using place = await privateCache([]);
  await using server = await serveHttp((_request, response) => response.end('something else'));
  const file = path.join(place.folder, 'a.deb');
  await t.rejects(download(server.url, digest, file), {
    fault: 'lab',
    message: new RegExp(`SHA-256 is ${sha256('something else')}, expected ${digest}`),
    next: ['npm run lab -- doctor'],
  });
  t.strictSame(await fs.readdir(place.folder), ['home']);
});

t.test('a server that has no such file is asked once', async (t) => {
  await using place = await privateCache([]);
  for (const status of [404, 410]) {
    await using server = await serveHttp((_request, response) => response.writeHead(status).end());
    await t.rejects(download(`${server.url}/a.deb`, digest, path.join(place.folder, 'a.deb')), NotFound);
    t.equal(server.requests.length, 1);
  }
});

t.test('a server that fails for a moment is asked again', async (t) => {
  await using place = await privateCache([]);
  let asked = 0;
  await using server = await serveHttp((_request, response) =>
    asked++ === 0 ? response.writeHead(503).end() : response.end(content),
  );
  await download(server.url, digest, path.join(place.folder, 'a.deb'));
  t.equal(asked, 2);
});

t.test('nobody answers: the message names the address and what to do', async (t) => {
  await using place = await privateCache([]);
  const { url } = await (async () => {
    await using gone = await serveHttp(() => {});
    return gone;
  })();
  await t.rejects(download(`${url}/a.deb`, digest, path.join(place.folder, 'a.deb')), {
    fault: 'lab',
    message: /could not download http:\/\/127\.0\.0\.1:\d+\/a\.deb \(.*ECONNREFUSED/,
  });
});

t.test('an interruption ends a transfer that stands still, and keeps what came for the next', async (t) => {
  await using place = await privateCache([]);
  const interruption = new AbortController();
  const file = path.join(place.folder, 'a.deb');
  await using server = await serveHttp(({ headers }, response) => {
    const from = Number(/\d+/.exec(headers.range ?? '')?.[0] ?? 0);
    if (from > 0) response.writeHead(206).end(content.subarray(from));
    else response.write(content.subarray(0, 100_000));
  });
  const interrupted = t.rejects(download(server.url, digest, file, interruption.signal), { message: 'now' });
  await until(partial(file, 100_000), soon());
  interruption.abort(new Error('now'));
  await interrupted;
  t.notOk((await fs.readdir(place.folder)).includes('a.deb'));
  await download(server.url, digest, file);
  t.equal(server.requests[1]?.headers.range, 'bytes=100000-');
});

t.test('a full disk is named as what it is', async (t) => {
  await using place = await privateCache([]);
  await using server = await serveHttp((_request, response) => response.end(content));
  const file = path.join(place.folder, 'a.deb');
  await fs.symlink('/dev/full', `${file}.partial`);
  await t.rejects(download(server.url, digest, file), {
    fault: 'lab',
    message: `no space left for ${file}`,
    next: ['npm run lab -- clean --cache'],
  });
});
