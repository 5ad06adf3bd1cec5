import fc from 'fast-check';
import t from 'tap';
import { judgeRun, reasonsNotApplicable } from '../../../lab/report/compare/judge.ts';
import { judgedTerminal } from '../../../lab/report/compare/judge-terminal.ts';
import { baselineOf, commandsForBaseline, fewestSeeds } from '../../../lab/report/model/baseline.ts';
import { lowerHalfMean, trimmedMean } from '../../../lab/report/model/counted.ts';
import type { Metric, Results } from '../../../lab/report/model/results.ts';
import { passedResults } from './example.ts';

const figure = (name: string, samples: readonly number[], load?: string): Metric => ({
  ...{ name, unit: 'instructions', kind: 'counted', where: 'board' },
  dimensions: load === undefined ? {} : { load },
  samples: [...samples],
});

const requests = [297_600, 297_900, 298_100, 298_300, 298_200];
const deployments = [92_900_000, 94_800_000, 94_600_000, 93_700_000, 94_100_000];

const inputs = [
  { name: 'component', version: 'hello.wasm', sha256: 'a'.repeat(64) },
  { name: 'kernel', version: '6.12', sha256: 'b'.repeat(64) },
  { name: 'qemu', version: '1:10.0', sha256: 'c'.repeat(64) },
  { name: 'layer worker', sha256: 'd'.repeat(64) },
];

/** A deterministic run in which every figure is `factor` times what it was. */
const run = (factors: { readonly request?: number; readonly deployment?: number } = {}): Results => ({
  ...passedResults('counted'),
  inputs,
  metrics: [
    figure('boot', [2_164_856_624]),
    figure(
      'request.p50',
      requests.map((sample) => sample * (factors.request ?? 1)),
      'mapped port',
    ),
    figure(
      'deployment.lower',
      deployments.map((sample) => sample * (factors.deployment ?? 1)),
    ),
  ].map((metric) => (metric.name === 'boot' ? { ...metric, samples: requests.map(() => 2_164_856_624) } : metric)),
  run: { ...passedResults('counted').run, metrics: [] },
});

const baseline = baselineOf(run());

const judgements = (results: Results) =>
  Object.fromEntries(judgeRun(baseline, results).map(({ metric, judgement }) => [metric.name, judgement]));

t.test('a run that is like its baseline is the same', async (t) => {
  t.strictSame(judgements(run()), { boot: 'not judged', 'request.p50': 'same', 'deployment.lower': 'same' });
});

t.test('a request that grew by 20 rules on its path is told from one that grew by one', async (t) => {
  t.equal(judgements(run({ request: 1.0142 }))['request.p50'], 'worse');
  t.equal(judgements(run({ request: 1.0013 }))['request.p50'], 'same');
  t.equal(judgements(run({ request: 0.98 }))['request.p50'], 'better');
});

t.test('a deployment that grew by one more program is told from one with a longer line in its log', async (t) => {
  t.equal(judgements(run({ deployment: 1.045 }))['deployment.lower'], 'worse');
  t.equal(judgements(run({ deployment: 1.009 }))['deployment.lower'], 'same');
});

t.test('any growth beyond the margin is a regression, any within is none, and less is never one', async () => {
  fc.assert(
    fc.property(fc.double({ min: 0.5, max: 2, noNaN: true }), (factor) => {
      for (const judged of judgeRun(baseline, run({ request: factor, deployment: factor }))) {
        if (judged.margin === undefined) continue;
        const change = judged.after - judged.before;
        const expected = Math.abs(change) <= judged.margin ? 'same' : change > 0 ? 'worse' : 'better';
        if (judged.judgement !== expected) return false;
      }
      return true;
    }),
  );
});

t.test('fewer seeds widen the margin of a deployment and not that of a request', async (t) => {
  const one = run();
  const single = {
    ...one,
    metrics: one.metrics?.map((metric) => ({ ...metric, samples: metric.samples.slice(0, 1) })) ?? [],
  };
  const marginOf = (results: Results, name: string) =>
    judgeRun(baseline, results).find(({ metric }) => metric.name === name)?.margin ?? 0;
  t.ok(marginOf(single, 'deployment.lower') > marginOf(one, 'deployment.lower'));
  t.equal(marginOf(single, 'request.p50'), marginOf(one, 'request.p50'));
});

t.test('a baseline of other inputs does not apply, and says which', async (t) => {
  const other = {
    ...run(),
    inputs: inputs.map((input) => (input.name === 'kernel' ? { ...input, version: '6.13' } : input)),
  };
  t.strictSame(reasonsNotApplicable(baseline, other), [
    'kernel: 6.12 bbbbbbbbbbbb in the baseline, 6.13 bbbbbbbbbbbb in the run',
  ]);
  t.throws(() => judgeRun(baseline, other), { message: /does not apply/ });
});

t.test('the product itself may be another one', async (t) => {
  const other = {
    ...run(),
    inputs: inputs.map((input) => (input.name === 'layer worker' ? { ...input, sha256: 'e'.repeat(64) } : input)),
  };
  t.strictSame(reasonsNotApplicable(baseline, other), []);
});

t.test('a run that came to no end, or that lacks a figure, is not judged', async (t) => {
  t.throws(() => judgeRun(baseline, { ...run(), verdict: 'error' }), { message: /came to no end/ });
  t.throws(() => judgeRun(baseline, { ...run(), metrics: [] }), { message: /request\.p50/ });
});

t.test('a baseline is made only of a run that passed, with enough seeds', async (t) => {
  t.throws(() => baselineOf({ ...run(), verdict: 'failed' }), { message: /did not pass/ });
  t.throws(() => baselineOf(passedResults('native')), { message: /no instructions/ });
  const few = run().metrics?.map((metric) => ({ ...metric, samples: metric.samples.slice(1) })) ?? [];
  t.throws(() => baselineOf({ ...run(), metrics: few }), { message: new RegExp(`takes ${fewestSeeds}`) });
});

t.test('what is printed names what grew, by how much, and how to accept it', async (t) => {
  const grown = run({ deployment: 1.045 });
  const text = judgedTerminal(judgeRun(baseline, grown), commandsForBaseline(grown, 'latest'), 0);
  t.match(text, /a regression\ndeployment\.lower grew by \+4\.5%; up to \+[\d.]+% would mean nothing/);
  t.match(
    text,
    /new baseline and commit it:\n {2}npm run lab -- scenario bridged .*--deterministic --seeds 5\n.*latest\n$/,
  );
  const many = { ...grown, options: { deterministic: true, seeds: fewestSeeds } };
  t.strictSame(commandsForBaseline(many, 'mine'), ['npm run lab -- report baseline mine']);
  t.match(judgedTerminal(judgeRun(baseline, run()), [], 0), /no regression/);
});

t.test('a garbage collection in some deployments does not move what stands for them', async (t) => {
  t.equal(lowerHalfMean([138, 137, 320, 139, 341]), 138);
  t.equal(lowerHalfMean([]), 0);
});

t.test('a trimmed mean leaves out the extremes', async (t) => {
  t.equal(trimmedMean([1_000_000, 10, 10, 10, 10, 10, 10, 10, 10, 0]), 10);
  t.equal(trimmedMean([]), 0);
});
