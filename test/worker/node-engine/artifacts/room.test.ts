import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { component, ownServer, startServer } from '../support/artifact-server.ts';

const signal = new AbortController().signal;
const megabyte = 1024 * 1024;

/** The component with so many MB behind it that mean nothing. */
const padded = (megabytes: number): Buffer => {
  const size = megabytes * megabyte;
  const leb = [0, 7, 14, 21].map((shift) => ((size >> shift) & 0x7f) | (shift < 21 ? 0x80 : 0));
  return Buffer.concat([component, Buffer.from([0x00, ...leb]), Buffer.alloc(size)]);
};

/** A cache on a disk of its own with so many MB. */
const onDisk = async (megabytes: number) => {
  const folder = await mkdtemp('/run/disk-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'disk', folder]);
  return { folder, cache: new ArtifactCache(folder, ownServer) };
};

inSandbox(import.meta.url, () => {
  t.test('what the disk has no room for is not begun, and components that nobody uses make room', async (t) => {
    const { folder, cache } = await onDisk(60);
    const [first, second] = [padded(20), padded(22)];
    const send = (bytes: Buffer) => (response: ServerResponse) =>
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    const { base } = await startServer(t, { '/first': send(first), '/second': send(second) });
    const held = await cache.fetch(`http://${base}/first`, signal);
    await t.rejects(cache.fetch(`http://${base}/second`, signal), /has 23 MB, for which there is no room/);
    t.same(await readdir(folder), [`${held.digest}.wasm`]);
    cache.release(held);
    const { digest } = await cache.fetch(`http://${base}/second`, signal);
    t.equal(digest, createHash('sha256').update(second).digest('hex'));
    t.same(await readdir(folder), [`${digest}.wasm`]);
  });

  t.test(
    'of a cache on a read-only disk is used what it has, and the rest is refused until it can be kept',
    async (t) => {
      const { folder, cache } = await onDisk(60);
      const { base } = await startServer(t, {
        '/a': (response) => response.end(component),
        '/b': (response) => response.end(padded(1)),
      });
      // with its source it is named whole: else mount(8) repeats options of the first mount, whose user is another one here
      const remount = (how: string) => execFileSync('mount', ['-o', `remount,${how}`, 'disk', folder]);
      const image = `http://${base}/a#sha256=${(await cache.fetch(`http://${base}/a`, signal)).digest}`;
      remount('ro');
      t.equal((await cache.fetch(image, signal)).file, (await new ArtifactCache(folder).fetch(image, signal)).file);
      await t.rejects(cache.fetch(`http://${base}/b`, signal), {
        message: `no component can be kept in ${folder}`,
        cause: { code: 'EROFS' },
      });
      remount('rw');
      await cache.fetch(`http://${base}/b`, signal);
    },
  );

  t.test('a disk that fills up during a download of unknown size is told, and nothing stays', async (t) => {
    const { folder, cache } = await onDisk(2);
    const { base } = await startServer(t, {
      '/unknown': (response) => {
        response.write(padded(4));
        response.end();
      },
      '/small': (response) => response.end(component),
    });
    await t.rejects(cache.fetch(`http://${base}/unknown`, signal), /the disk of the cache is full/);
    t.same(await readdir(folder), []);
  });
});
