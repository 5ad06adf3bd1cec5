import { execFile, execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import {
  keptLogs,
  type LogFolder,
  newLog,
  openLogFolder,
  pruneLogs,
  selectLogEvictions,
} from '../../../../worker/node-engine/process/log-folder.ts';
import { maxLogBytes, outputMark } from '../../../../worker/node-engine/process/output.ts';
import { processesMarked } from '../../../../worker/node-engine/process/proc.ts';
import { tail } from '../../../../worker/node-engine/process/tail.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { until } from '../support/until.ts';

const program = fileURLToPath(new URL('output.ts', import.meta.url));
const task = 'app.appns.svc.svcns.instance.0';
const stranger = 4242;

/**
 * Runs a shell's command with its output in `log`, which says at last that it is the end; `engineDies` as soon as it
 * runs. Resolves when all is written and the writer has ended: it outlives a killed engine, one that is slow outlives
 * any, and it renames the log.
 */
const write = async (log: string, command: string, engineDies = false): Promise<void> => {
  await new Promise<void>((resolve, reject) => {
    const args = [program, log, command, ...(engineDies ? ['kill'] : [])];
    execFile(process.execPath, args, (error) => (error && !engineDies ? reject(error) : resolve()));
  });
  const over = async () => (await tail(log, 8)) === 'the end\n' && !(await processesMarked(outputMark)).has(log);
  await until(over, 'end of the output and of its writer', AbortSignal.timeout(120_000));
};

const sizeOf = async (file: string): Promise<number> => (await stat(file).catch(() => undefined))?.size ?? 0;

const listener = () => {
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  return { lines, log: { debug: line, info: line, warn: line, error: line } };
};

/** A place for logs as the engine makes it, with its spare one and what was said. */
const opened = async (
  t: Test,
  wanted: string,
): Promise<LogFolder & { readonly spare: string; readonly said: string }> => {
  const { lines, log } = listener();
  const spare = join(t.testdirName, 'spare');
  const logs = await openLogFolder(wanted, spare, log);
  await newLog(logs, task, log);
  t.ok((await lstat(join(logs.folder, task))).isFile());
  return { ...logs, spare, said: lines.join('\n') };
};

t.test('output is bounded at any rate, and its end is kept', async (t) => {
  const log = join(t.testdir(), 'log');
  let most = 0;
  const look = async () => {
    const bytes = (await sizeOf(log)) + (await sizeOf(`${log}.1`));
    most = Math.max(most, bytes);
  };
  const watch = setInterval(look, 5);
  await write(log, 'yes | head -c 60000000; echo the end >&2');
  clearInterval(watch);
  await look();
  t.ok(most > maxLogBytes / 2, `${most}`);
  t.ok(most <= 2 * maxLogBytes, `${most}`);
  t.equal((await tail(log, 10)).slice(-8), 'the end\n');
  t.equal((await stat(log)).mode & 0o777, 0o640);
});

t.test('output goes on without the engine, and is bounded then', async (t) => {
  const log = join(t.testdir(), 'log');
  await write(log, 'sleep 0.3; yes | head -c 30000000; echo the end', true);
  t.equal((await tail(log, 10)).slice(-8), 'the end\n');
  t.ok((await sizeOf(log)) + (await sizeOf(`${log}.1`)) <= 2 * maxLogBytes);
});

t.test('what is kept of old output is neither old nor much, and the newest', async () => {
  const file = fc.record({ bytes: fc.nat(50), ms: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(file), (some) => {
      const files = some.map((one, index) => ({ ...one, name: String(index) }));
      const removed = new Set(selectLogEvictions(files, 100, { ms: 60, bytes: 200 } as never));
      const [gone, left] = [
        files.filter(({ name }) => removed.has(name)),
        files.filter(({ name }) => !removed.has(name)),
      ];
      const newest = Math.max(...gone.filter(({ ms }) => 100 - ms < 60).map(({ ms }) => ms));
      return (
        left.every(({ ms }) => 100 - ms < 60) &&
        left.reduce((sum, { bytes }) => sum + bytes, 0) <= 200 &&
        left.every(({ ms }) => ms >= newest)
      );
    }),
  );
});

t.test('output that was written before the clock was set is not old for that', (t) => {
  const [now, year] = [Date.UTC(2026), 365 * 86_400_000];
  const file = (name: string, ms: number) => ({ name, ms, bytes: 1 });
  t.same(selectLogEvictions([file('unset', 5_000), file('new', now - 1000), file('old', now - year)], now), ['old']);
  t.end();
});

t.test('old output of instances that are gone is removed, with its link, and nothing else', async (t) => {
  const { log } = listener();
  const folder = t.testdir({ inner: {}, shown: {} });
  const logs = { folder: join(folder, 'inner'), shown: join(folder, 'shown') };
  const other = task.replace(/0$/, '1');
  for (const name of [task, other]) await newLog(logs, name, log);
  await writeFile(join(logs.folder, `${task}.1`), 'x');
  await writeFile(join(logs.folder, 'notes.txt'), 'x');
  const old = (Date.now() - keptLogs.ms) / 1000 - 60;
  for (const name of await readdir(logs.folder)) await utimes(join(logs.folder, name), old, old);
  await pruneLogs(logs, (name) => name === other);
  t.same((await readdir(logs.folder)).sort(), [other, 'notes.txt']);
  t.same(await readdir(logs.shown), [other]);
});

inSandbox(
  import.meta.url,
  () => {
    t.test('a folder of the engine is taken as it is, and made where it is missing', async (t) => {
      const folder = join(t.testdir(), 'var', 'logs');
      const logs = await opened(t, folder);
      t.match(logs, { folder, shown: folder, said: '' });
      t.equal((await stat(folder)).mode & 0o777, 0o750);
      const again = await opened(t, folder);
      t.same((await readdir(again.folder)).sort(), [task, `${task}.1`], 'the output of the instance before is kept');
    });

    t.test('in a folder like /tmp the logs have one of their own, and are found by their names', async (t) => {
      const shared = join(t.testdir(), 'tmp');
      await mkdir(shared);
      execFileSync('chmod', ['1777', shared]);
      const logs = await opened(t, shared);
      t.equal(logs.folder, join(shared, 'oakestra'));
      t.equal(await readlink(join(shared, task)), join(logs.folder, task));
      t.equal((await stat(logs.folder)).mode & 0o777, 0o750);
    });

    t.test('a folder that was removed is made again, unless a user has taken its place', async (t) => {
      const shared = join(t.testdir(), 'tmp');
      await mkdir(shared);
      execFileSync('chmod', ['1777', shared]);
      const logs = await opened(t, shared);
      await rm(logs.folder, { recursive: true });
      const { lines, log } = listener();
      await newLog(logs, task, log);
      t.ok((await lstat(join(logs.folder, task))).isFile());
      t.equal((await stat(logs.folder)).mode & 0o777, 0o750);
      t.match(lines, [/was missing; it is made again/]);
      await rm(logs.folder, { recursive: true });
      execFileSync('sh', ['-c', `mkdir "$1"; chown ${stranger} "$1"`, 'sh', logs.folder]);
      await t.rejects(newLog(logs, task, log), /cannot be kept in .*oakestra: it belongs to another user/);
      t.same(await readdir(logs.folder), []);
    });

    for (const [what, plant] of [
      ['a folder', 'mkdir "$1"; chown 4242 "$1"'],
      ['a FIFO', 'mkfifo "$1"; chown 4242 "$1"'],
      ['a link', 'ln -s /etc "$1"; chown -h 4242 "$1"'],
      ['a file', 'echo >"$1"; chown 4242 "$1"'],
    ] as const)
      t.test(`${what} that a user has laid in the way is not used, nor touched`, async (t) => {
        const shared = join(t.testdir(), 'tmp');
        await mkdir(shared);
        execFileSync('chmod', ['1777', shared]);
        const trap = (name: string) => execFileSync('sh', ['-c', plant, 'sh', join(shared, name)]);
        trap('oakestra');
        trap('logs');
        trap(task);
        const before = execFileSync('find', [shared, '/etc', '-printf', '%p %i %u %l\n'], { encoding: 'utf8' });
        for (const wanted of [shared, join(shared, 'logs'), join(shared, 'logs', 'inner')]) {
          const logs = await opened(t, wanted);
          t.equal(logs.folder, logs.spare);
          t.match(logs.said, /app_logs '.*' is not used: /);
          await rm(logs.spare, { recursive: true });
        }
        const after = execFileSync('find', [shared, '/etc', '-printf', '%p %i %u %l\n'], { encoding: 'utf8' });
        t.equal(after, before);
      });

    t.test('a link that root has laid is followed', async (t) => {
      const folder = t.testdir({ real: {} });
      await symlink(join(folder, 'real'), join(folder, 'logs'));
      t.match(await opened(t, join(folder, 'logs')), { folder: join(folder, 'real'), said: '' });
    });

    t.test('a name that a user has taken in /tmp is left to them', async (t) => {
      const shared = join(t.testdir(), 'tmp');
      await mkdir(shared);
      execFileSync('chmod', ['1777', shared]);
      execFileSync('sh', ['-c', `mkfifo "$1"; chown ${stranger} "$1"`, 'sh', join(shared, task)]);
      const logs = await opened(t, shared);
      t.equal(logs.folder, join(shared, 'oakestra'));
      t.match(logs.said, /does not show the log/);
      t.ok((await lstat(join(shared, task))).isFIFO());
    });

    t.test('neither a FIFO nor a link is read as a log', async (t) => {
      const folder = t.testdir({ secret: 'secret' });
      execFileSync('mkfifo', [join(folder, 'fifo')]);
      await symlink(join(folder, 'secret'), join(folder, 'link'));
      for (const name of ['fifo', 'link', 'none', '.']) t.equal(await tail(join(folder, name), 100), '');
    });

    t.test('where no output can be kept an instance is refused with that, until it can be', async (t) => {
      const folder = t.testdir({ disk: {} });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=750', 'disk', join(folder, 'disk')]);
      await using mounted = new AsyncDisposableStack();
      mounted.defer(() => void execFileSync('umount', [join(folder, 'disk')]));
      const logs = await opened(t, join(folder, 'disk'));
      const remount = (how: string) => execFileSync('mount', ['-o', `remount,${how}`, 'disk', logs.folder]);
      const { log } = listener();
      remount('ro');
      await t.rejects(newLog(logs, task, log), {
        message: `the output of ${task} cannot be kept in ${logs.folder}`,
        cause: { code: 'EROFS' },
      });
      remount('rw');
      await newLog(logs, task, log);
    });

    t.test('a full disk neither stops a program nor is it kept from writing later', async (t) => {
      const folder = t.testdir({ disk: {} });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'disk', join(folder, 'disk')]);
      await using mounted = new AsyncDisposableStack();
      mounted.defer(() => void execFileSync('umount', [join(folder, 'disk')]));
      const log = join(folder, 'disk', 'log');
      const room = `while [ ! -e ${folder}/room ]; do yes | head -c 200000; done`;
      const written = write(log, `${room}; yes | head -c 8000000; echo the end`);
      await until(async () => (await sizeOf(log)) === 1024 * 1024, 'full disk', AbortSignal.timeout(120_000));
      execFileSync('mount', ['-o', 'remount,size=30m', 'disk', join(folder, 'disk')]);
      await writeFile(join(folder, 'room'), '');
      await written;
      t.match(await readFile(log, 'utf8').then((text) => text.slice(-8)), 'the end\n');
    });
  },
  '-nm',
);
