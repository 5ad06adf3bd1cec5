import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import Type from 'typebox';
import { cachePath } from '../../../lab/system/cache.ts';
import { identityOf } from '../../../lab/system/pid-lock.mjs';
import { listRuns, openRun, reapRuns, removeRun } from '../../../lab/system/runs.ts';
import { until } from '../../../lab/system/wait.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import { privateCache } from '../../support/private.ts';

const owner = fileURLToPath(new URL('owner.ts', import.meta.url));
const Opened = Type.Object({ id: Type.String(), folder: Type.String(), child: Type.Integer() });

/** A lab process with a run that has a child process. */
const startOwner = async (...args: readonly string[]) => {
  const lab = spawn(process.execPath, [owner, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(lab, 'exit');
  const [line] = (await once(createInterface(lab.stdout), 'line')) as [string];
  return { ...parseJson(Opened, line, 'what the owner printed'), lab, exit };
};

const there = (folder: string) =>
  fs.stat(folder).then(
    () => true,
    () => false,
  );
const ended = (pid: number) =>
  until(() => (identityOf(pid) === undefined ? true : undefined), AbortSignal.timeout(30_000));

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

t.test('a process number that was given to another process does not make a run a living one', async (t) => {
  await using _ = await privateCache([]);
  await using run = await openRun('a test');
  const [record] = await listRuns();
  await fs.writeFile(cachePath('runs', `${run.id}.json`), JSON.stringify({ ...record, owner: `${process.pid} 1` }));
  t.strictSame(
    (await reapRuns()).map(({ id }) => id),
    [run.id],
  );
  t.notOk(await there(run.folder));
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
