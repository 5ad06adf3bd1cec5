import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { memoryBytes } from '../../../../worker/node-engine/instances/usage.ts';
import { parseProcStat, processesMarked, procStat } from '../../../../worker/node-engine/process/proc.ts';
import { tail } from '../../../../worker/node-engine/process/tail.ts';
import { hasUsers, isOwnProcess } from '../../../../worker/system/users.ts';
import { otherUser, withoutOtherUser } from '../../../support/other-user.ts';

const seeded = { seed: 20_260_803, numRuns: 1000 };

t.test('a process as the kernel tells it', async (t) => {
  const line = `7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 11 22 5 6 20 0 1 0 12345 99`;
  t.same(parseProcStat(line), { state: 'S', cpuTicks: 33, start: 12_345, size: 99 });
  t.ok((await procStat(process.pid))?.start);
  t.equal(await procStat(2 ** 22 + 1), undefined);
  t.ok((await memoryBytes(process.pid)) > 10_000_000);
  t.equal(hasUsers('         0       1000          1\n', 65_534, 1), false);
  t.equal(hasUsers('         0          0 4294967295\n', 65_534, 1), true);
  t.equal(hasUsers('         0     100000      65536\n', 65_534, 3), false);
});

t.test('a process is found by its mark also while it becomes another program', async (t) => {
  const mark = 'OAKESTRA_TEST_RESTLESS';
  // it is another program again and again, and never a second process
  const restless = 'exec sh -c "$0" "$0"';
  const child = spawn('sh', ['-c', restless, restless], { env: { ...process.env, [mark]: 'here' }, stdio: 'ignore' });
  const ended = once(child, 'exit');
  for (let look = 0; look < 20; look += 1) t.equal((await processesMarked(mark)).get('here')?.pid, child.pid);
  child.kill('SIGKILL');
  await ended;
});

t.test('a process of another user is none of ours, whatever it carries', { skip: withoutOtherUser() }, async (t) => {
  const start = (value: string, ids = {}) => {
    const child = spawn('sleep', ['600'], { env: { ...process.env, OAKESTRA_MARK: value }, stdio: 'ignore', ...ids });
    t.teardown(() => child.kill('SIGKILL'));
    return once(child, 'spawn').then(() => child.pid ?? 0);
  };
  const other = { uid: otherUser, gid: otherUser };
  const [ours] = [await start('ours'), await start('ours', other), await start('theirs', other)];
  const found = await processesMarked('OAKESTRA_MARK');
  t.same(
    [...found].map(([value, { pid }]) => [value, pid]),
    [['ours', ours]],
  );
  const uid = (...users: readonly number[]) => `Name:\tx\nUid:\t${users.join('\t')}\nGid:\t0\t0\t0\t0\n`;
  t.ok(isOwnProcess(uid(70_003, 70_003, 70_003, 70_003)));
  t.notOk(isOwnProcess(uid(otherUser, 0, 0, 0)), 'a program that a user has started with the rights of root');
  t.notOk(isOwnProcess(''));
});

t.test('the last bytes of a log are never half a character', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'log');
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.integer({ min: 1, max: 40 }),
      async (text, bytes) => {
        await writeFile(file, text);
        const end = await tail(file, bytes);
        return text.toWellFormed().endsWith(end) && Buffer.byteLength(end) <= bytes;
      },
    ),
    { ...seeded, numRuns: 300 },
  );
  t.equal(await tail(join(folder, 'none'), 10), '');
});
