import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { cached } from '../../../lab/system/files/cache.ts';
import { acquireLock } from '../../../lab/system/files/file-lock.mjs';
import { identityOf } from '../../../lab/system/identity.ts';
import { until } from '../../../lab/system/wait.ts';
import { caughtUp } from '../../support/caught-up.ts';
import { privateCache } from '../../support/files/private.ts';

const maker = fileURLToPath(new URL('maker.ts', import.meta.url));
const soon = () => AbortSignal.timeout(60_000);

/** Another process that wants `file` from the cache. It makes it when a file `go` is there, and prints what it read. */
const startMaker = (file: string, go: string): ChildProcess & { readonly printed: () => string } => {
  const child = spawn(process.execPath, [maker, file, go], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  return Object.assign(child, { printed: () => text });
};

t.test('of several processes that want the same one makes it and the others wait', async (t) => {
  await using place = await privateCache([]);
  const [file, go] = [path.join(place.folder, 'x/thing'), path.join(place.folder, 'go')];
  const makers = [startMaker(file, go), startMaker(file, go), startMaker(file, go)];
  const exits = makers.map((child) => once(child, 'exit'));
  await until(() => makers.some(({ printed }) => printed().includes('making')) || undefined, soon());
  await fs.writeFile(go, '');
  t.strictSame(await Promise.all(exits), [
    [0, null],
    [0, null],
    [0, null],
  ]);
  await caughtUp();
  const printed = makers.map((child) => child.printed());
  t.equal(printed.filter((text) => text.includes('making')).length, 1);
  const author = makers.find((child) => child.printed().includes('making'))?.pid;
  for (const text of printed) t.match(text, new RegExp(`has the work of ${author}\\n$`));
  t.strictSame(await fs.readdir(path.dirname(file)), ['thing']);
});

t.test('what a killed process was making is made by the one that waited', async (t) => {
  await using place = await privateCache([]);
  const [file, go] = [path.join(place.folder, 'x/thing'), path.join(place.folder, 'go')];
  const first = startMaker(file, go);
  await until(() => first.printed().includes('making') || undefined, soon());
  const second = startMaker(file, go);
  const ends = once(second, 'exit');
  first.kill('SIGKILL');
  await once(first, 'exit');
  await until(() => second.printed().includes('making') || undefined, soon());
  await fs.writeFile(go, '');
  t.strictSame(await ends, [0, null]);
  await caughtUp();
  t.match(second.printed(), `has the work of ${second.pid}`);
  t.strictSame(await fs.readdir(path.dirname(file)), ['thing'], 'neither locks nor parts stay');
});

t.test('a failure leaves nothing under the real name, and the next one tries again', async (t) => {
  await using place = await privateCache([]);
  const file = path.join(place.folder, 'thing');
  const failing = cached(file, async (temporary) => {
    await fs.writeFile(temporary, 'half');
    throw new Error('no');
  });
  await t.rejects(failing, { message: 'no' });
  t.notOk((await fs.readdir(place.folder)).includes('thing'));
  await cached(file, (temporary) => fs.writeFile(temporary, 'whole'));
  t.equal(await fs.readFile(file, 'utf8'), 'whole');
});

t.test('a lock is taken over only when its owner has ended, whatever a file of its name says', async (t) => {
  await using place = await privateCache([]);
  const lock = path.join(place.folder, 'lock');
  await fs.writeFile(lock, `${process.pid} on this host`);
  const release = await acquireLock(lock);
  const mine = `${process.pid} on ${os.hostname()}`;
  t.equal(await fs.readFile(lock, 'utf8'), `${mine}\n`);
  let waitedFor = '';
  const interruption = new AbortController();
  const second = acquireLock(lock, {
    signal: interruption.signal,
    onWait: (holder) => {
      waitedFor = holder;
      interruption.abort();
    },
  });
  await t.rejects(second, { name: 'AbortError' });
  t.equal(waitedFor, mine);
  t.ok(await fs.stat(lock), 'a living lock stays');
  release();
  (await acquireLock(lock))();
  t.strictSame(await fs.readdir(place.folder), ['home']);
  t.equal(identityOf(2 ** 30), undefined);
});
