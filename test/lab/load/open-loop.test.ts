import t from 'tap';
import { type OpenLoopPlan, runOpenLoop } from '../../../lab/load/open-loop.ts';
import { listen } from './server.ts';

const plan = (url: string, more: Partial<OpenLoopPlan> = {}): OpenLoopPlan => ({
  url,
  perSecond: 200,
  // more than are due in all: when this process stands still for a while, many are due at once
  connections: 500,
  keepAlive: true,
  durationMs: 1000,
  warmUpMs: 0,
  timeoutMs: 10_000,
  expect: { status: 200, body: 'right\n' },
  signal: AbortSignal.timeout(120_000),
  ...more,
});

t.test('as many requests leave as the schedule says, whatever the warm-up did', async (t) => {
  let served = 0;
  await using server = await listen((_request, response) => {
    served += 1;
    response.end(served > 40 && served % 10 === 0 ? 'wrong\n' : 'right\n');
  });
  const result = await runOpenLoop(plan(server.url, { warmUpMs: 200 }));
  t.equal(result.sent + result.shed, 200);
  t.equal(served, result.sent + 40);
  t.equal(result.responses, result.sent);
  t.equal(result.wrongBody, 20);
  t.equal(result.latency.totalCount, result.responses);
  t.equal(result.lateness.totalCount, result.sent);
});

t.test('a stall shows in every request that was due meanwhile', async (t) => {
  let served = 0;
  const stall = Promise.withResolvers<void>();
  await using server = await listen((_request, response) => {
    served += 1;
    if (served === 50) stall.resolve();
    stall.promise.then(() => response.end('right\n'));
  });
  const result = await runOpenLoop(plan(server.url));
  t.equal(result.responses, 200);
  const schedule = (50 / 200) * 1_000_000;
  t.ok(result.latency.maxValue > schedule * 0.9, 'the first request waited for the whole stall');
  t.ok(result.latency.getValueAtPercentile(90) > schedule * 0.3, 'and so did those due after it');
});

t.test('what exceeds the requests under way is shed, what is never answered times out', async (t) => {
  await using server = await listen(() => undefined);
  const result = await runOpenLoop(plan(server.url, { connections: 5, timeoutMs: 1000, durationMs: 500 }));
  t.equal(result.sent, 5);
  t.equal(result.shed, 95);
  t.equal(result.timeouts, 5);
  t.equal(result.unfinished, 0);
});

t.test('an abort ends the load at once', async (t) => {
  const abort = new AbortController();
  await using server = await listen((_request, response) => {
    response.end('right\n');
    abort.abort(new Error('enough'));
  });
  await t.rejects(runOpenLoop(plan(server.url, { durationMs: 60_000, signal: abort.signal })), { message: 'enough' });
});
