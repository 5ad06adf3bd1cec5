import fs from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { writeReport } from '../../../lab/report/folder.ts';
import { trendPage } from '../../../lab/report/html/trend.ts';
import { baselineOf } from '../../../lab/report/model/baseline.ts';
import type { Metric, Results } from '../../../lab/report/model/results.ts';
import { type PastRun, trendsOf } from '../../../lab/report/trend/trend.ts';
import { labWorld } from '../../support/lab.ts';
import { failedResults, passedResults } from './example.ts';

const figure = (name: string, samples: readonly number[]): Metric => ({
  ...{
    name,
    unit: 'instructions',
    kind: 'counted',
    where: 'board',
    dimensions: name === 'boot' ? {} : { load: 'mapped' },
  },
  samples: [...samples],
});

const commitOf = (n: number): string => n.toString(16).padStart(40, '0');

/** A deterministic run of the n-th commit, one day after another, in which a request takes so many instructions. */
const counted = (n: number, request: readonly number[], qemu = '1:10.0'): Results => ({
  ...passedResults('counted'),
  options: { deterministic: true, seeds: request.length },
  inputs: [{ name: 'qemu', version: qemu, sha256: 'c'.repeat(64) }],
  metrics: [
    figure('request.p50', request),
    figure(
      'boot',
      request.map(() => 2_164_856_624),
    ),
  ],
  run: {
    ...passedResults('counted').run,
    id: `run-${n}`,
    started: new Date(Date.UTC(2026, 0, 1 + n)).toISOString(),
    revision: { commit: commitOf(n), dirty: false },
    metrics: [],
  },
});

const past = (...all: readonly Results[]): readonly PastRun[] =>
  all.map((results) => ({ folder: results.run.id, results }));

const unknown = (): undefined => undefined;
const seeds = [266_000, 266_200, 266_400, 266_100, 266_300];
const baseline = baselineOf(counted(0, seeds));

const only = (runs: readonly PastRun[], timeOf: (commit: string) => number | undefined = unknown) => {
  const [trend, ...others] = trendsOf(runs, timeOf, [baseline]);
  if (trend === undefined || others.length > 0) throw new Error('not one trend');
  return trend;
};

const requestsOf = (runs: readonly PastRun[]) =>
  only(runs).figures.find(({ metric }) => metric.name === 'request.p50')?.points ?? [];

t.test('commits stand in their order, whenever each of them was run', async (t) => {
  const days = [3, 0, 2, 1];
  const runs = past(...days.map((n) => counted(n, [266_000 + n])));
  const byRun = only(runs).revisions.map(({ commit }) => Number.parseInt(commit, 16));
  t.strictSame(byRun, [0, 1, 2, 3], 'by their runs where git does not know them');
  const byCommit = only(runs, (commit) => -Number.parseInt(commit, 16)).revisions;
  t.strictSame(
    byCommit.map(({ commit }) => Number.parseInt(commit, 16)),
    [3, 2, 1, 0],
    'by git where it does',
  );
});

t.test('each commit has one point, however often and in whatever order it was run', async () => {
  const run = fc.record({ n: fc.nat(5), request: fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1 }) });
  fc.assert(
    fc.property(fc.array(run, { minLength: 1 }), (runs) => {
      const all = past(
        ...runs.map(({ n, request }, i) => {
          const results = counted(n, request);
          return { ...results, run: { ...results.run, id: `run-${i}` } };
        }),
      );
      const points = requestsOf(all);
      const within = points.every(({ low, value, high }) => low <= value && value <= high);
      return within && points.length === new Set(runs.map(({ n }) => n)).size;
    }),
  );
});

t.test('the threshold is what the baseline allows, and is missing where that does not apply', async (t) => {
  const points = requestsOf(past(counted(1, seeds), counted(2, [267_600]), counted(3, [250_000], '1:11.0')));
  t.equal(points[0]?.limit, 266_200 * 1.005);
  t.ok((points[1]?.value ?? 0) > (points[1]?.limit ?? 0), 'half a per cent more is beyond it');
  t.equal(points[2]?.limit, undefined);
  const { revisions } = only(past(counted(1, seeds), counted(3, [250_000], '1:11.0')));
  t.match(revisions[1]?.changed, [{ name: 'qemu', was: /^1:10\.0/, is: /^1:11\.0/ }]);
});

t.test('runs with other machines and of uncommitted changes are kept apart, a copied report counts once', async (t) => {
  const one = counted(1, seeds);
  const native = passedResults('native');
  const machine = { ...native.machine, name: 'local' };
  const elsewhere = { ...native, machine, run: { ...native.run, id: 'elsewhere' } };
  const changed = { ...one, run: { ...one.run, id: 'changed', revision: { ...one.run.revision, dirty: true } } };
  t.strictSame(
    only(past(one, one, changed)).revisions.map(({ isDirty, runs }) => [isDirty, runs.length]),
    [
      [false, 1],
      [true, 1],
    ],
  );
  t.equal(trendsOf(past(one, passedResults(), elsewhere), unknown, []).length, 3);
});

t.test('the page names a regression of the newest commit, and no older one', async (t) => {
  const grown = counted(2, [270_000]);
  t.match(
    trendPage(trendsOf(past(counted(1, seeds), grown), unknown, [baseline]), []),
    /class="verdict failed"[\s\S]*request\.p50 mapped is 270,000 instructions, a regression above 267,531/,
  );
  const mended = trendPage(trendsOf(past(counted(1, seeds), grown, counted(3, seeds)), unknown, [baseline]), []);
  t.match(mended, 'class="verdict passed"');
  t.notMatch(mended, 'a regression above 2');
});

t.test('the page is one file without scripts, in which what a report says stays text', async (t) => {
  const hostile = counted(1, seeds, '<script>alert(1)</script>');
  const text = trendPage(trendsOf(past(counted(0, seeds), hostile), unknown, [baseline]), ['<b>damaged</b>']);
  t.notMatch(text, /<script|<b>damaged|src=|@import|url\(/);
  t.match(text, '&#60;b&#62;damaged');
  t.match(text, '&#60;script');
  t.notMatch(text, /NaN|undefined/);
  for (const [, id] of text.matchAll(/href="#([^"]+)"/g)) t.match(text, `id="${id}"`);
});

t.test('what must not happen is counted', async (t) => {
  t.match(trendPage(trendsOf(past(passedResults()), unknown, []), []), /In 1 runs? every expectation was met/);
  const { faults } = only(past(failedResults()));
  t.match(faults, [
    { name: 'runs that did not pass', counts: [1] },
    { name: 'expectations that were not met', counts: [1] },
    { name: 'requests that failed' },
  ]);
});

t.test('report trend makes the page of all reports below a folder, and tells which it cannot read', async (t) => {
  await using world = await labWorld();
  const folder = path.join(world.reports, '20260103T000000-nightly', '1', 'first');
  await writeReport(folder, counted(1, seeds));
  await writeReport(path.join(world.reports, 'second'), counted(2, seeds));
  await fs.mkdir(path.join(world.reports, 'damaged'));
  await fs.writeFile(path.join(world.reports, 'damaged', 'results.json'), '{"version":2}');
  const { code, stdout, stderr } = await world.run(['report', 'trend', world.reports, '--json']);
  t.equal(code, 0, { stderr });
  const file = path.join(world.reports, 'trend.html');
  t.match(JSON.parse(stdout), { file, runs: 2, troubles: [/damaged/] });
  const text = await fs.readFile(file, 'utf8');
  t.match(text, 'href="20260103T000000-nightly/1/first/report.html"');
  t.match(text, 'href="second/report.html"');
  const empty = await world.run(['report', 'trend', world.temporary]);
  t.match(empty, { code: 64, stderr: /no report to read in/ });
  t.match(await world.run(['report', 'trend', path.join(world.reports, 'nowhere')]), { code: 64 });
});
