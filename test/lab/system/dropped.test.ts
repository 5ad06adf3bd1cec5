import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { messageOf } from '../../../lab/system/errors.ts';
import { cachePath } from '../../../lab/system/files/cache.ts';
import { requestInternet } from '../../../lab/system/internet/internet.ts';
import { architectureOf, fetchSet } from '../../../lab/system/packages/fetch.ts';
import { lockedSet } from '../../../lab/system/packages/lock.ts';
import { debianMirror } from '../../../lab/system/packages/mirror.ts';
import { fetchTools } from '../../../lab/system/packages/tools.ts';
import { privateCache } from '../../support/files/private.ts';
import { serveHttp } from './server.ts';

const set = 'image-tools';
const pinned = lockedSet(`${set}/${architectureOf(set)}`);
const dropped = pinned.find(({ name }) => name === 'erofs-utils');
const own = debianMirror();
const problem = await fetchTools(set, undefined, AbortSignal.timeout(240_000)).then(
  () => false as const,
  (error: unknown) => `no mirror: ${messageOf(error)}`,
);

/** What the cache has may be enough for the tools, but not for an index. */
const offline =
  problem ||
  (await requestInternet(`${own}/dists/trixie/InRelease`, {
    method: 'HEAD',
    signal: AbortSignal.timeout(120_000),
  }).then(
    (response) => {
      response.destroy();
      return false as const;
    },
    (error: unknown) => `no mirror: ${messageOf(error)}`,
  ));

/** Gives the private cache all packages that this computer's has, except for one. */
const copyPackages = async (from: string, without: string): Promise<void> => {
  await fs.mkdir(cachePath('packages'), { recursive: true });
  for (const name of await fs.readdir(from))
    if (/^[0-9a-f]{64}\.deb$/.test(name) && !name.startsWith(without))
      await fs.symlink(path.join(from, name), cachePath('packages', name));
};

t.test('tools run by their own loader, with nothing of the host', { skip: problem }, async (t) => {
  const tools = await fetchTools(set);
  const mkfs = tools.program('usr/bin/mkfs.erofs');
  const { stdout, stderr } = await execa(mkfs.file, [...mkfs.args, '--version'], { env: {}, extendEnv: false });
  t.match(`${stdout}${stderr}`, /mkfs\.erofs.* \d+\.\d+/);
  t.ok(mkfs.file.startsWith(tools.root));
  t.strictSame(tools.unlocked, []);
  t.equal(tools.version('erofs-utils'), dropped?.version);
  const depmod = tools.program('usr/bin/kmod', 'depmod');
  t.match((await execa(depmod.file, [...depmod.args, '--version'])).stdout, /^kmod version/, 'called by another name');
});

t.test(
  'a version that the mirror dropped is looked up in its signed index, and said so',
  { skip: offline },
  async (t) => {
    const real = cachePath('packages');
    await using _ = await privateCache(['indexes']);
    await copyPackages(real, dropped?.sha256 ?? '');
    const before = process.env['LAB_DEBIAN_MIRROR'];
    t.teardown(() => {
      if (before === undefined) delete process.env['LAB_DEBIAN_MIRROR'];
      else process.env['LAB_DEBIAN_MIRROR'] = before;
    });
    let asked = 0;
    await using mirror = await serveHttp(async ({ url = '' }, response) => {
      if (decodeURIComponent(url) === `/${dropped?.path}` && asked++ === 0) return response.writeHead(404).end();
      const answer = await requestInternet(`${own}${url}`);
      response.writeHead(answer.statusCode ?? 500);
      answer.pipe(response);
    });
    process.env['LAB_DEBIAN_MIRROR'] = mirror.url;

    const { packages, unlocked } = await fetchSet(set);
    t.equal(unlocked.length, 1);
    t.match(unlocked[0], `erofs-utils ${dropped?.version} -> `);
    t.ok(mirror.requests.some(({ url }) => url?.endsWith('/InRelease')));
    t.equal(packages.length, pinned.length);
    for (const { file } of packages) t.ok((await fs.stat(file)).size > 0);
  },
);

t.test('a mirror that has neither the version nor an index is named', { skip: problem }, async (t) => {
  const real = cachePath('packages');
  await using _ = await privateCache([]);
  await copyPackages(real, dropped?.sha256 ?? '');
  await using mirror = await serveHttp((_request, response) => response.writeHead(404).end());
  process.env['LAB_DEBIAN_MIRROR'] = mirror.url;
  t.teardown(() => delete process.env['LAB_DEBIAN_MIRROR']);
  await t.rejects(fetchSet(set), { fault: 'lab', message: /InRelease: HTTP 404/, next: ['npm run lab -- doctor'] });
});
