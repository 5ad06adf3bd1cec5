import t from 'tap';
import { runLoad } from '../../../lab/load/load.ts';
import { faults, type LoadPlan, type LoadResult } from '../../../lab/load/load-plan.ts';
import { listen } from './server.ts';

const plan = (url: string, more: Partial<LoadPlan> = {}): LoadPlan => ({
  url,
  connections: 4,
  durationMs: 300,
  warmUpMs: 0,
  timeoutMs: 2000,
  expect: { status: 200, body: 'right\n' },
  keepAlive: true,
  signal: AbortSignal.timeout(120_000),
  ...more,
});

/** A load of 300 ms, and a longer one as long as fewer than `least` were answered: a busy computer takes its time. */
const answered = async (least: number, load: (durationMs: number) => Promise<LoadResult>): Promise<LoadResult> => {
  for (let durationMs = 300; ; durationMs *= 3) {
    const result = await load(durationMs);
    if (result.responses > least || durationMs > 20_000) return result;
  }
};

for (const keepAlive of [true, false]) {
  const kind = keepAlive ? 'kept connections' : 'fresh connections';

  t.test(`${kind}: every response is counted and compared`, async (t) => {
    let served = 0;
    const connections = new Set<number | undefined>();
    await using server = await listen((request, response) => {
      served += 1;
      connections.add(request.socket.remotePort);
      response.statusCode = served % 10 === 0 ? 503 : 200;
      response.end(served % 5 === 0 ? 'wrong\n' : 'right\n');
    });
    const result = await answered(50, (durationMs) => {
      served = 0;
      connections.clear();
      return runLoad(plan(server.url, { keepAlive, durationMs, timeoutMs: 10_000 }));
    });
    t.ok(result.responses > 50, `${result.responses} responses`);
    t.equal(result.latency.totalCount, result.responses);
    t.equal(result.errors, 0);
    t.equal(result.timeouts, 0);
    t.ok(Math.abs(result.wrongBody - result.responses / 5) <= 4, `${result.wrongBody} wrong bodies`);
    t.ok(Math.abs(result.wrongStatus - result.responses / 10) <= 4, `${result.wrongStatus} wrong statuses`);
    t.equal(result.sent, result.responses);
    t.equal(result.sent, served, 'none is left under way');
    t.ok(faults(result) > 0);
    t.ok(keepAlive ? connections.size === 4 : connections.size > 20, `${connections.size} connections`);
    t.ok(result.seconds > 0 && result.rate > 0);
    t.ok(result.generator.cpuShare > 0);
  });

  t.test(`${kind}: bodies are bytes`, async (t) => {
    let served = 0;
    // as text each of them would be the same replacement character
    const sent = [Buffer.from([0xff, 0x00, 0x80]), Buffer.from([0xfe, 0x00, 0x80])] as const;
    await using server = await listen((_request, response) => response.end(sent[served++ % 4 === 0 ? 1 : 0]));
    const result = await answered(5, (durationMs) => {
      served = 0;
      return runLoad(plan(server.url, { keepAlive, durationMs, expect: { status: 200, body: sent[0] } }));
    });
    t.ok(result.responses > 5);
    t.ok(Math.abs(result.wrongBody - result.responses / 4) <= 4, `${result.wrongBody} of ${result.responses}`);
  });

  t.test(`${kind}: bodies that change are no fault where any is right`, async (t) => {
    let served = 0;
    await using server = await listen((_request, response) => response.end('x'.repeat((served++ % 5) + 2)));
    const result = await answered(5, (durationMs) =>
      runLoad(plan(server.url, { keepAlive, durationMs, timeoutMs: 10_000, expect: { status: 200 } })),
    );
    t.ok(result.responses > 5);
    t.equal(faults(result), 0);
    t.strictSame(result.bodies, { least: 2, most: 6 });
  });

  t.test(`${kind}: a warm-up is not counted`, async (t) => {
    let served = 0;
    await using server = await listen((_request, response) => {
      served += 1;
      response.end('right\n');
    });
    const result = await answered(0, (durationMs) => {
      served = 0;
      return runLoad(plan(server.url, { keepAlive, durationMs, warmUpMs: 1000, timeoutMs: 10_000 }));
    });
    t.ok(result.responses > 0 && served > result.responses, `${served} served, ${result.responses} counted`);
    t.equal(faults(result), 0);
  });

  t.test(`${kind}: a response that never comes is a timeout, a lost connection an error`, async (t) => {
    let served = 0;
    await using server = await listen((request, response) => {
      served += 1;
      if (served % 20 === 0) return;
      if (served % 5 === 0) request.socket.end();
      else response.end('right\n');
    });
    const result = await runLoad(plan(server.url, { keepAlive, timeoutMs: 1000, durationMs: 2500 }));
    t.ok(result.timeouts > 0, `${result.timeouts} timeouts`);
    t.ok(result.errors > 0, `${result.errors} errors`);
    t.ok(result.responses > 0);
    t.equal(result.sent, result.responses + result.errors + result.timeouts);
    t.equal(result.unfinished, 0);
  });

  t.test(`${kind}: a service that hangs in the middle of a load has timeouts`, async (t) => {
    let served = 0;
    await using server = await listen((_request, response) => {
      served += 1;
      if (served <= 20) response.end('right\n');
    });
    const result = await runLoad(plan(server.url, { keepAlive, durationMs: 2500, timeoutMs: 3500 }));
    t.equal(result.responses, 20);
    t.equal(result.timeouts, 4, 'one a connection');
    t.equal(faults(result), 4);
  });

  t.test(`${kind}: a late answer is waited for and compared, and no part of the rate`, async (t) => {
    let served = 0;
    await using server = await listen((_request, response) => {
      served += 1;
      if (served === 1) setTimeout(() => response.end('wrong\n'), 1500);
      else response.end('right\n');
    });
    const start = performance.now();
    const result = await runLoad(plan(server.url, { keepAlive, durationMs: 500, timeoutMs: 60_000 }));
    t.equal(result.wrongBody, 1);
    t.equal(faults(result), 1);
    t.equal(result.sent, result.responses);
    t.ok(result.latency.maxValue >= 1_500_000, 'the late one among the latencies');
    t.ok(result.seconds <= 0.5, `the rate is of ${result.seconds} s`);
    t.ok(performance.now() - start < 60_000, 'and then it ends');
  });

  t.test(`${kind}: a letter may come in two parts`, async (t) => {
    await using server = await listen((_request, response) => {
      const [first, second] = Buffer.from('ü');
      response.write(Buffer.of(first ?? 0));
      setTimeout(() => response.end(Buffer.of(second ?? 0)), 5);
    });
    const right = await answered(0, (durationMs) =>
      runLoad(plan(server.url, { keepAlive, durationMs, timeoutMs: 10_000, expect: { status: 200, body: 'ü' } })),
    );
    t.ok(right.responses > 0);
    t.equal(faults(right), 0);
    const wrong = await runLoad(plan(server.url, { keepAlive, expect: { status: 200, body: 'ö' } }));
    t.equal(wrong.wrongBody, wrong.responses);
  });

  t.test(`${kind}: nobody there is an error for every request`, async (t) => {
    const server = await listen(() => undefined);
    await server[Symbol.asyncDispose]();
    const result = await runLoad(plan(server.url, { keepAlive }));
    t.equal(result.responses, 0);
    t.ok(result.errors > 0);
    t.equal(result.rate, 0);
  });

  t.test(`${kind}: an abort ends the load at once`, async (t) => {
    const abort = new AbortController();
    await using server = await listen((_request, response) => {
      response.end('right\n');
      abort.abort(new Error('enough'));
    });
    await t.rejects(runLoad(plan(server.url, { keepAlive, durationMs: 60_000, signal: abort.signal })), {
      message: 'enough',
    });
    await t.rejects(runLoad(plan(server.url, { keepAlive, signal: abort.signal })), { message: 'enough' });
  });
}

t.test('a timeout shorter than autocannon knows is refused', async (t) => {
  await t.rejects(runLoad(plan('http://127.0.0.1:1/', { timeoutMs: 999 })), { name: 'RangeError' });
});

t.test('latencies keep their fractions of a millisecond and their order', async (t) => {
  const slow = Promise.withResolvers<void>();
  let served = 0;
  await using server = await listen((_request, response) => {
    served += 1;
    if (served === 5) slow.promise.then(() => response.end('right\n'));
    else {
      response.end('right\n');
      if (served === 50) slow.resolve();
    }
  });
  const { latency, perSecond, seconds } = await runLoad(plan(server.url, { connections: 2, durationMs: 1500 }));
  t.ok(latency.getValueAtPercentile(50) < latency.maxValue, 'the response held back is the slow one');
  t.ok(latency.minNonZeroValue > 1 && latency.minNonZeroValue < 1_000_000);
  t.equal(perSecond.length, Math.floor(seconds));
});
