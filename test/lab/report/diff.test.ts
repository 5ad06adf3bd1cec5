import fc from 'fast-check';
import t from 'tap';
import { diff } from '../../../lab/report/compare/diff.ts';
import { diffTerminal } from '../../../lab/report/compare/diff-terminal.ts';
import { joinReplicates } from '../../../lab/report/model/metrics.ts';
import type { Metric, Results } from '../../../lab/report/model/results.ts';
import {
  exactRankTest,
  median,
  medianInterval,
  rankTest,
  ratioInterval,
} from '../../../lab/report/model/statistics.ts';
import { failedResults, passedResults } from './example.ts';

const metric = (name: string, unit: Metric['unit'], samples: number[]): Metric => ({
  name,
  unit,
  kind: unit === '1' ? 'count' : 'performance',
  where: 'lab',
  dimensions: { load: 'bridge' },
  samples,
});

const run = (metrics: readonly Metric[], more: Partial<Results> = {}): Results => {
  const results = passedResults('native');
  return { ...results, ...more, run: { ...results.run, metrics: [...metrics] } };
};

const judged = (name: string, unit: Metric['unit'], before: number[], after: number[]) =>
  diff(run([metric(name, unit, before)]), run([metric(name, unit, after)]));

t.test('a slower service is a regression, a faster one is not', async (t) => {
  const slower = judged('load.latency.p99', 'us', [100, 101, 99, 102, 100], [120, 121, 119, 122, 118]);
  t.match(slower, { regression: true, changes: [{ judgement: 'worse', before: 100, after: 120 }] });
  const faster = judged('load.latency.p99', 'us', [120, 121, 119, 122, 118], [100, 101, 99, 102, 100]);
  t.match(faster, { regression: false, changes: [{ judgement: 'better' }] });
  t.match(judged('load.rate', '1/s', [100, 101, 99, 102], [120, 121, 119, 122]).changes, [{ judgement: 'better' }]);
});

t.test('what scatters or has few replicates cannot be told, what is steady is the same', async (t) => {
  t.match(judged('load.rate', '1/s', [100, 40, 160, 90], [60, 150, 30, 80]).changes, [{ judgement: "can't tell" }]);
  t.match(judged('load.rate', '1/s', [100, 100, 100], [10, 10, 10]).changes, [{ why: 'fewer than 4 replicates' }]);
  t.match(judged('load.rate', '1/s', [100, 101, 99, 100], [101, 100, 100, 99]).changes, [{ judgement: 'same' }]);
  t.match(
    judged('load.rate', '1/s', [100, 100.1, 100.2, 100], [101, 101.1, 101.2, 101]).changes,
    [{ judgement: 'same' }],
    'a certain change too small to matter',
  );
});

t.test('a single wrong answer where there was none is worse', async (t) => {
  t.match(judged('load.wrongBody', '1', [0], [1]), { regression: true, changes: [{ judgement: 'worse' }] });
  t.match(judged('load.errors', '1', [0, 0], [0, 0]), { regression: false, changes: [{ judgement: 'same' }] });
  t.strictSame(judged('load.sent', '1', [100], [900]).changes, [], 'how much was sent is nobody’s merit');
});

t.test('only the same thing is compared', async (t) => {
  const one = run([]);
  const refused = (other: Results, pattern: RegExp) =>
    t.throws(() => diff(one, other), { name: 'LabError', fault: 'incomplete', message: pattern });
  refused({ ...one, scenario: { name: 'veth', description: '' } }, /scenario: "bridged" and "veth"/);
  refused({ ...one, machine: { ...one.machine, fidelity: 'emulated' } }, /machine/);
  refused({ ...one, options: { connections: 8, duration: 4 } }, /options/);
  refused({ ...one, run: { ...one.run, host: { ...one.run.host, cpus: 64 } } }, /host/);
  const virtualized = { ...one, machine: { ...one.machine, fidelity: 'virtualized' as const } };
  refused(virtualized, /machine/);
  const { host } = one.run;
  const elsewhere = { ...virtualized, run: { ...one.run, host: { ...host, cpus: 64 } } };
  t.throws(() => diff(virtualized, elsewhere), { message: /host/ }, 'nor on another computer by KVM');
  t.throws(() => diff(failedResults(), failedResults()), /first run: failed/);
  t.equal(diff(one, { ...one, verdict: 'failed' }).regression, true);
});

t.test('times under emulation are never compared, its counts are', async (t) => {
  const { changes } = diff(passedResults(), passedResults());
  t.ok(changes.length > 0);
  t.ok(changes.every(({ metric: { unit } }) => unit === '1'));
});

t.test('a comparison names what changed and ends with its outcome', async (t) => {
  const before = run([metric('load.rate', '1/s', [100, 101, 99, 102]), metric('start', 's', [1])]);
  const [wasmtime, component] = before.inputs;
  if (!wasmtime || !component) return t.fail('the example has inputs');
  const after = run([metric('load.rate', '1/s', [70, 71, 72, 73])], {
    inputs: [{ ...wasmtime, version: '49.0.3' }, component],
  });
  const text = diffTerminal(diff(before, after), 0);
  t.match(text, /worse +load\.rate bridge +101\/s → 71\.5\/s +-3\d(\.\d)?% to -2\d/);
  t.match(text, /can't tell {2}start bridge +1 s → - +only in the first run/);
  t.match(text, 'changed: wasmtime, 48.0.2');
  t.match(text, /\na regression: 0 better, 1 worse, 0 same, 1 can't tell\n$/);
});

t.test('replicates join into one metric with a sample each', async (t) => {
  const joined = joinReplicates([[metric('a', 's', [1]), metric('b', 's', [5])], [metric('a', 's', [2])]]);
  t.match(joined, [
    { name: 'a', samples: [1, 2] },
    { name: 'b', samples: [5] },
  ]);
});

t.test('the rank test is exact, ties included', async (t) => {
  t.equal(rankTest([1, 2, 3, 4], [5, 6, 7, 8]), 2 / 70);
  t.equal(rankTest([1, 2, 3], [4, 5, 6]), 2 / 20);
  t.equal(rankTest([1, 1, 1], [1, 1, 1]), 1);
  t.equal(rankTest([1, 1, 2], [1, 2, 2]), 1, 'as near as ties let it be');
  t.equal(rankTest([], [1]), 1);
});

/** Different values around `middle`, the same each time. */
const around = (middle: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => middle * (1 + ((i * 37) % count) / count / 100));

t.test('hundreds of samples are judged in a moment', async (t) => {
  const began = performance.now();
  t.match(judged('load.latency.p99', 'us', around(100, 305), around(110, 305)), {
    regression: true,
    changes: [{ judgement: 'worse' }],
  });
  t.ok(performance.now() - began < 60_000, 'the machine may be busy');
  const p = rankTest(around(100, 600), around(100.01, 600));
  t.ok(p > 0 && p < 1, `${p}`);
  t.ok(rankTest(around(100, 600), around(110, 600)) < 1e-9, 'all of them apart');
  t.equal(rankTest(Array(600).fill(1), Array(600).fill(1)), 1, 'all the same');
});

t.test('what many samples are said to be is near what counting says', async () => {
  const value = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double({ min: 0, max: 6, noNaN: true }));
  const samples = fc.array(value, { minLength: 51, maxLength: 56 });
  fc.assert(
    fc.property(samples, samples, fc.constantFrom(0, 0.5, 1), (a, b, shift) => {
      const after = b.map((sample) => sample + shift);
      return Math.abs(rankTest(a, after) - exactRankTest(a, after)) < 0.005;
    }),
    { seed: 7, numRuns: 15 },
  );
});

t.test('statistics hold for any samples', async () => {
  const samples = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 12 });
  const seed = { seed: 7, numRuns: 60 };
  fc.assert(
    fc.property(samples, samples, (a, b) => {
      const p = rankTest(a, b);
      return p > 0 && p <= 1 + 1e-9 && Math.abs(p - rankTest(b, a)) < 1e-9;
    }),
    seed,
  );
  fc.assert(
    fc.property(samples, (values) => {
      const middle = median(values) ?? Number.NaN;
      const interval = medianInterval(values);
      return values.length < 4
        ? interval === undefined
        : !!interval && interval.low <= middle && middle <= interval.high;
    }),
    { seed: 7, numRuns: 20 },
  );
});

t.test('an interval of a ratio needs replicates and positive values', async (t) => {
  t.equal(ratioInterval([1, 2, 3], [1, 2, 3, 4]), undefined);
  t.equal(ratioInterval([0, 1, 2, 3], [1, 2, 3, 4]), undefined);
  const interval = ratioInterval([10, 10, 10, 10], [20, 20, 20, 20]);
  t.strictSame(interval, { low: 2, high: 2 });
});
