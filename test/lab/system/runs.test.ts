import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import Type from 'typebox';
import { cachePath } from '../../../lab/system/files/cache.ts';
import { isLocked, openLock, removeUnlocked } from '../../../lab/system/files/file-lock.mjs';
import { identityOf } from '../../../lab/system/identity.ts';
import { keptRuns, listRuns, openRun, reapRuns, removeOwnRuns, removeRun } from '../../../lab/system/runs.ts';
import { until } from '../../../lab/system/wait.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import { privateCache } from '../../support/files/private.ts';
import { noNamespaces } from '../../support/user-namespace.ts';

const owner = fileURLToPath(new URL('owner.ts', import.meta.url));
const Opened = Type.Object({ id: Type.String(), folder: Type.String(), child: Type.Integer() });

const container = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc', '--kill-child'];

const startLab = async (file: string, args: readonly string[]) => {
  const lab = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(lab, 'exit');
  const [line] = (await once(createInterface(lab.stdout), 'line')) as [string];
  return { ...parseJson(Opened, line, 'what the owner printed'), lab, exit };
};

/** A lab process with a run that has a child process. */
const startOwner = (...args: readonly string[]) => startLab(process.execPath, [owner, ...args]);

/** The same in a PID namespace that outlives it. */
const startContained = () =>
  startLab('unshare', [...container, 'sh', '-c', '"$@"; exec sleep 1000', 'sh', process.execPath, owner]);

const lockOf = ({ id }: { readonly id: string }, what: string): string => cachePath('runs', `${id}.${what}`);

const there = (folder: string) =>
  fs.stat(folder).then(
    () => true,
    () => false,
  );
const ended = (pid: number) =>
  until(() => (identityOf(pid) === undefined ? true : undefined), AbortSignal.timeout(120_000));

t.test('what a killed lab left is reaped by the next one, and nothing else', async (t) => {
  await using _ = await privateCache([]);
  const [killed, living, kept] = await Promise.all([startOwner(), startOwner(), startOwner('keep')]);
  for (const { lab, exit } of [killed, kept]) {
    lab.kill('SIGKILL');
    await exit;
  }
  t.ok(identityOf(killed.child), 'its child outlives it');
  const [mine] = [await openRun('mine')];
  t.strictSame(
    (await reapRuns()).map(({ id }) => id),
    [killed.id],
  );
  await ended(killed.child);
  t.notOk(await there(killed.folder));
  for (const { child, folder } of [living, kept]) {
    t.ok(identityOf(child), 'its child lives');
    t.ok(await there(folder));
  }
  t.strictSame((await listRuns()).map(({ id }) => id).toSorted(), [living.id, kept.id, mine.id].toSorted());

  await mine[Symbol.asyncDispose]();
  living.lab.stdin.end();
  t.strictSame(await living.exit, [0, null]);
  await ended(living.child);
  t.notOk(await there(living.folder), 'a run that ends takes everything with it');

  const [record] = await listRuns();
  t.match(record, { id: kept.id, kept: true });
  if (record) await removeRun(record);
  await ended(kept.child);
  t.notOk(await there(kept.folder));
  t.strictSame(await listRuns(), []);
});

t.test('a kept machine that ended is no kept machine any more, and is reaped', async (t) => {
  await using _ = await privateCache([]);
  const kept = await startOwner('keep');
  kept.lab.stdin.end();
  await kept.exit;
  t.match(await keptRuns(), [{ id: kept.id }]);
  t.strictSame(await reapRuns(), []);
  process.kill(kept.child, 'SIGKILL');
  await ended(kept.child);
  t.strictSame(await keptRuns(), []);
  t.match(await reapRuns(), [{ id: kept.id }]);
  t.notOk(await there(kept.folder));
});

t.test('a run of before this computer was started anew is reaped, one of another computer is not', async (t) => {
  await using _ = await privateCache([]);
  const record = { id: '20200101T000000-abcdef', folder: t.testdir(), kept: false, what: 'a test' };
  const file = cachePath('runs', `${record.id}.json`);
  await fs.mkdir(cachePath('runs'), { recursive: true });
  for (const host of [os.hostname(), 'another']) {
    await fs.writeFile(file, JSON.stringify({ ...record, boot: 'another', host }));
    // on this computer's own disk nobody else can have one
    t.match(await reapRuns(), [{ id: record.id }]);
  }
  t.strictSame(await fs.readdir(cachePath('runs')), []);
});

t.test('labs in different PID namespaces share a cache', { skip: noNamespaces(...container) ?? false }, async (t) => {
  await using place = await privateCache([]);
  const [first, second] = await Promise.all([startContained(), startContained()]);
  const reap = async (): Promise<unknown> => {
    const argv = [...container, process.execPath, owner, 'reap'];
    const reaper = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse(await text(reaper.stdout));
  };
  t.strictSame(await reap(), [], 'neither is reaped from a third one');
  t.strictSame(await reapRuns(), [], 'nor from outside');

  await t.test('of a killed lab whose machine goes on out of sight nothing is removed', async (t) => {
    first.lab.stdin.write('die\n');
    await until(
      async () => ((await isLocked(lockOf(first, 'owner'))) ? undefined : true),
      AbortSignal.timeout(120_000),
    );
    t.ok(await isLocked(lockOf(first, 'machine')));
    t.strictSame(await reap(), []);
    t.ok(await there(first.folder));
  });
  await t.test('when its container has ended it is', async (t) => {
    first.lab.kill('SIGKILL');
    await first.exit;
    await until(
      async () => ((await isLocked(lockOf(first, 'machine'))) ? undefined : true),
      AbortSignal.timeout(120_000),
    );
    t.strictSame(await reap(), [first.id]);
    t.notOk(await there(first.folder));
  });
  t.match(await listRuns(), [{ id: second.id }]);
  second.lab.stdin.end();
  // its record goes last
  await until(async () => (await listRuns()).length === 0 || undefined, AbortSignal.timeout(120_000));
  second.lab.kill('SIGKILL');
  await second.exit;
  t.strictSame(await fs.readdir(path.join(place.cache, 'runs')), [], 'no locks are left');
});

t.test('a folder for sockets has a short path and is closed to others', async (t) => {
  await using _ = await privateCache([]);
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = `/tmp/${'long'.repeat(20)}`;
  t.teardown(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  await using run = await openRun('a test');
  t.ok(`${run.folder}/monitor.sock`.length < 107);
  t.equal((await fs.stat(run.folder)).mode & 0o777, 0o700);
});

t.test('a damaged record does not keep the lab from working', async (t) => {
  await using _ = await privateCache([]);
  await using run = await openRun('a test');
  await fs.writeFile(cachePath('runs', 'half.json'), '{"id":');
  t.match(await listRuns(), [{ id: run.id }]);
});

t.test('a lock that is taken while it is tidied up is never lost', async (t) => {
  await using place = await privateCache([]);
  const file = path.join(place.folder, 'lock');
  for (let round = 0; round < 8; round++) {
    await fs.writeFile(file, '');
    const [lock] = await Promise.all([openLock(file), removeUnlocked(file), removeUnlocked(file)]);
    t.ok(await isLocked(file), 'whoever has it is seen to have it');
    t.equal(await removeUnlocked(file), false);
    lock.release();
    t.notOk(await isLocked(file));
  }
});

t.test('a process that ends while a run is being opened leaves nothing of it', async (t) => {
  const opening = openRun('a run that comes too late');
  await removeOwnRuns();
  const { id, folder } = await opening;
  await t.rejects(fs.access(folder));
  t.notOk((await listRuns()).some((run) => run.id === id));
});
