import t from 'tap';
import type { LoadPlan } from '../../../lab/load/load.ts';
import { runRemoteLoad } from '../../../lab/load/remote.ts';

const plan: LoadPlan = {
  url: 'http://127.0.0.1:1/',
  connections: 4,
  durationMs: 300,
  warmUpMs: 0,
  timeoutMs: 2000,
  expect: { status: 200 },
  keepAlive: true,
  signal: AbortSignal.timeout(20_000),
};

t.test('a load generator that ends badly is no fault of the service', async (t) => {
  const ended = (code: number, stdout: string, stderr: string) =>
    runRemoteLoad(plan, async () => ({ code, stdout, stderr }));
  await t.rejects(ended(137, '', 'Killed\n'), { fault: 'lab', message: 'the load generator ended with 137: Killed' });
  await t.rejects(ended(0, '{"sent":', ''), { fault: 'lab', message: 'the load generator printed no result' });
  await t.rejects(ended(0, '{}', ''), { fault: 'lab', message: 'the load generator printed no result' });
});

t.test('what ends the load is thrown as it is', async (t) => {
  const gone = new Error('the board is gone');
  await t.rejects(
    runRemoteLoad(plan, () => Promise.reject(gone)),
    gone,
  );
});
