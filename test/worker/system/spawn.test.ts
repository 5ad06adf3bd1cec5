import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { monitor } from '../../../worker/net-manager/reconcile/monitor.ts';
import { consoleLog } from '../../../worker/system/log.ts';
import { run } from '../../../worker/system/run.ts';
import { until } from '../node-engine/support/until.ts';

const openNow = (): number => readdirSync('/proc/self/fd').length;

const limit = (soft: string): void =>
  void execFileSync('prlimit', [`--pid=${process.pid}`, `--nofile=${soft}:`], { stdio: 'ignore' });

/** Leaves this process `room` descriptors until the result is disposed. */
const withRoom = (room: number): Disposable => {
  const filled = Array.from({ length: 40 }, () => openSync('/dev/null', 'r'));
  const [before = ''] = execFileSync('prlimit', [`--pid=${process.pid}`, '--nofile', '--output=SOFT', '--noheadings'])
    .toString()
    .split('\n');
  limit(String(Math.max(...filled) + 1 + room));
  return {
    [Symbol.dispose]: () => {
      for (const descriptor of filled) closeSync(descriptor);
      limit(before.trim());
    },
  };
};

t.test('a command that cannot be started for want of descriptors leaves none open', async (t) => {
  await run(['true']);
  const before = openNow();
  for (let room = 0; room <= 14; room++) {
    {
      using _ = withRoom(room);
      const [ended] = await Promise.allSettled([run(['true'])]);
      if (ended.status === 'rejected')
        t.match(ended.reason, { message: /^true: .*too many files are open/ }, `${room}`);
    }
    await setImmediate();
    t.equal(openNow(), before, `with room for ${room}`);
  }
});

t.test('what tells of changes in the kernel is started later when no process can be started', async (t) => {
  const lines: string[] = [];
  const missed: true[] = [];
  let starting: Disposable;
  {
    using _ = withRoom(2);
    const watch = { line: (line: string) => void lines.push(line), missed: () => void missed.push(true) };
    starting = monitor(['echo', 'a change'], watch, consoleLog(false));
  }
  using _ = starting;
  await until(async () => lines.length > 0, 'its first line', AbortSignal.timeout(120_000));
  t.equal(lines[0], 'a change');
  t.ok(missed.length > 0, 'nobody knows what went by before');
});
