import { centreOf, changedInputs, judgeFigure, reasonsNotApplicable } from '../compare/judge.ts';
import { machineOf } from '../formats/wording.ts';
import { type Baseline, decisiveInputs } from '../model/baseline.ts';
import { betterWhen, metricKey, metricsOf } from '../model/metrics.ts';
import type { Fidelity, Metric, Results } from '../model/results.ts';

/** A report and where it lies. */
export type PastRun = { readonly folder: string; readonly results: Results };

/** The time of a commit in ms since 1970; undefined for one that is not known here. */
export type CommitTime = (commit: string) => number | undefined;

/** Runs of one commit with the same inputs, in the order of their starts. */
export type Revision = {
  readonly commit: string;
  readonly isDirty: boolean;
  readonly runs: readonly PastRun[];
  /** What its figures depend on besides the product, and that was otherwise one revision before. */
  readonly changed: ReturnType<typeof changedInputs>;
};

/** A figure of the revision with the index `at`: what stands for its samples, and between what they lie. */
export type TrendPoint = {
  readonly at: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number;
  /** Above it the figure is a regression against the baseline; undefined where that does not apply. */
  readonly limit: number | undefined;
};

export type TrendFigure = {
  readonly metric: Pick<Metric, 'name' | 'unit' | 'where' | 'dimensions'>;
  readonly points: readonly TrendPoint[];
};

/** What must not happen, and how often it did at each revision. */
export type TrendFault = { readonly name: string; readonly counts: readonly number[] };

/** One scenario on one kind of machine over all its revisions, the oldest first. */
export type Trend = {
  readonly title: string;
  readonly revisions: readonly Revision[];
  readonly figures: readonly TrendFigure[];
  readonly faults: readonly TrendFault[];
};

const fidelityMarks: Readonly<Partial<Record<Fidelity, string>>> = {
  counted: ', instructions counted',
  virtualized: ', virtualized',
};

/** What runs must have in common for their figures to stand in one row. */
const kindOf = (results: Results): string => {
  const { scenario, machine, options } = results;
  const { image, boot } = options;
  const special = [image, boot].filter((option) => option !== undefined).join(', ');
  const how = fidelityMarks[machine.fidelity] ?? '';
  return `${scenario.name} on ${machineOf(results)}${special === '' ? '' : ` (${special})`}${how}`;
};

const groupBy = <T>(items: readonly T[], key: (item: T) => string): readonly (readonly T[])[] => [
  ...Map.groupBy(items, key).values(),
];

const startOf = ({ results }: PastRun): number => Date.parse(results.run.started);

const revisionKey = ({ results }: PastRun): string => {
  const { commit, dirty } = results.run.revision;
  return JSON.stringify([commit, dirty, decisiveInputs(results)]);
};

/** Runs by revision: by the time of the commit, else that of its first run. */
const revisionsOf = (runs: readonly PastRun[], timeOf: CommitTime): readonly Revision[] => {
  const groups = groupBy(
    runs.toSorted((a, b) => startOf(a) - startOf(b)),
    revisionKey,
  ).flatMap((some) => {
    const [first] = some;
    if (first === undefined) return [];
    const { commit, dirty } = first.results.run.revision;
    return [{ commit, isDirty: dirty, runs: some, inputs: decisiveInputs(first.results), first: startOf(first) }];
  });
  return groups
    .toSorted((a, b) => (timeOf(a.commit) ?? a.first) - (timeOf(b.commit) ?? b.first))
    .map(({ commit, isDirty, runs: its, inputs }, at, all) => {
      const before = all[at - 1];
      return { commit, isDirty, runs: its, changed: before === undefined ? [] : changedInputs(before.inputs, inputs) };
    });
};

/** The samples of a figure at a revision: those of the newest of the runs that have most, as a repetition adds nothing. */
const samplesAt = ({ runs }: Revision, key: string): readonly number[] =>
  runs
    .map(({ results }) => metricsOf(results).find((metric) => metricKey(metric) === key)?.samples ?? [])
    .reduce((most, samples) => (samples.length >= most.length ? samples : most), []);

const limitAt = (revision: Revision, key: string, samples: readonly number[], baseline: Baseline | undefined) => {
  const results = revision.runs[0]?.results;
  const before = baseline?.metrics.find((metric) => metricKey(metric) === key);
  if (baseline === undefined || before === undefined || results === undefined) return undefined;
  if (reasonsNotApplicable(baseline, results).length > 0) return undefined;
  const judged = judgeFigure(before, samples);
  return judged.margin === undefined ? undefined : judged.before + judged.margin;
};

const figureOf = (metric: Metric, revisions: readonly Revision[], baseline: Baseline | undefined): TrendFigure => {
  const { name, unit, where, dimensions } = metric;
  const key = metricKey(metric);
  const points = revisions.flatMap((revision, at): readonly TrendPoint[] => {
    const samples = samplesAt(revision, key);
    if (samples.length === 0) return [];
    const value = centreOf(name, samples);
    const [low, high] = [Math.min(...samples), Math.max(...samples)];
    return [{ at, value, low, high, samples: samples.length, limit: limitAt(revision, key, samples, baseline) }];
  });
  return { metric: { name, unit, where, dimensions }, points };
};

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

const notMet = ({ steps }: Results): number =>
  steps.flatMap(({ expectations }) => expectations).filter(({ verdict }) => verdict === 'failed').length;

const failedRequests = (results: Results): number =>
  total(metricsOf(results).flatMap((metric) => (betterWhen(metric) === 'none' ? metric.samples : [])));

const faultsOf = (revisions: readonly Revision[]): readonly TrendFault[] =>
  Object.entries({
    'runs that did not pass': ({ verdict }: Results) => Number(verdict !== 'passed'),
    'expectations that were not met': notMet,
    'requests that failed': failedRequests,
  }).map(([name, count]) => ({
    name,
    counts: revisions.map(({ runs }) => total(runs.map(({ results }) => count(results)))),
  }));

const trendOf = (runs: readonly PastRun[], timeOf: CommitTime, baselines: readonly Baseline[]): readonly Trend[] => {
  const first = runs[0]?.results;
  if (first === undefined) return [];
  const { scenario, machine } = first;
  const baseline =
    machine.fidelity === 'counted'
      ? baselines.find((one) => one.scenario === scenario.name && one.machine === machine.name)
      : undefined;
  const revisions = revisionsOf(runs, timeOf);
  const counted = runs.flatMap(({ results }) => metricsOf(results).filter(({ unit }) => unit === 'instructions'));
  const metrics = new Map(counted.map((metric) => [metricKey(metric), metric]));
  return [
    {
      title: kindOf(first),
      revisions,
      figures: [...metrics.values()].map((metric) => figureOf(metric, revisions, baseline)),
      faults: faultsOf(revisions),
    },
  ];
};

/**
 * Past runs by scenario and kind of machine, each with its commits in order, its instructions beside what the baselines
 * allow, and its counts of what must not happen. A run that is there twice counts once.
 */
export const trendsOf = (
  runs: readonly PastRun[],
  timeOf: CommitTime,
  baselines: readonly Baseline[],
): readonly Trend[] => {
  const once = [...new Map(runs.map((run) => [run.results.run.id, run])).values()];
  return groupBy(once, ({ results }) => kindOf(results))
    .flatMap((some) => trendOf(some, timeOf, baselines))
    .toSorted((a, b) => b.figures.length - a.figures.length || (a.title < b.title ? -1 : 1));
};

/** The newest point of a figure where it is a regression; undefined where it is none, or is not judged. */
export const regressionOf = (
  { points }: TrendFigure,
  { revisions }: Pick<Trend, 'revisions'>,
): TrendPoint | undefined => {
  const last = points.at(-1);
  const isNewest = last?.at === revisions.length - 1;
  return isNewest && last.limit !== undefined && last.value > last.limit ? last : undefined;
};
