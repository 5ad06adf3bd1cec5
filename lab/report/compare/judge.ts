import { LabError } from '../../system/errors.ts';
import { type Baseline, decisiveInputs } from '../model/baseline.ts';
import { mean } from '../model/counted.ts';
import { metricKey, metricsOf } from '../model/metrics.ts';
import type { Input, Metric, Results } from '../model/results.ts';
import { median } from '../model/statistics.ts';

/** A figure beside its baseline. */
export type Judged = {
  readonly metric: Pick<Metric, 'name' | 'unit' | 'where' | 'dimensions'>;
  readonly before: number;
  readonly after: number;
  /** By how much it may differ without that meaning anything; undefined for a figure that is not judged. */
  readonly margin: number | undefined;
  readonly judgement: 'better' | 'worse' | 'same' | 'not judged';
};

/** A request may always differ by so much: a rebuilt program has its code at other addresses. */
const requestShare = 0.005;
const deviations = 3;

/** The median absolute deviation from the median. */
const scatter = (samples: readonly number[]): number => {
  const middle = median(samples) ?? 0;
  return median(samples.map((sample) => Math.abs(sample - middle))) ?? 0;
};

/** The sample standard deviation; 0 of fewer than two. */
const deviation = (samples: readonly number[]): number => {
  const middle = mean(samples);
  const squares = samples.reduce((sum, sample) => sum + (sample - middle) ** 2, 0);
  return samples.length < 2 ? 0 : Math.sqrt(squares / (samples.length - 1));
};

type Rule = {
  readonly centre: (samples: readonly number[]) => number;
  readonly margin: (before: readonly number[], after: readonly number[]) => number;
};

/**
 * A request: medians over seeds differ by more than 0.5 %, and by more than 3 median absolute deviations of the
 * baseline's seeds. Assumes that a seed changes a request's course (addresses, hashes) by chance, and that the product
 * does not change by how much.
 */
const request: Rule = {
  centre: (samples) => median(samples) ?? 0,
  margin: (before) => Math.max(requestShare * (median(before) ?? 0), deviations * scatter(before)),
};

/**
 * A deployment: means over seeds differ by more than 3 standard errors of their difference. Assumes that the figures of
 * single seeds, each of the cheaper half of 19 deployments, are independent and scatter alike before and after; their
 * deviation is the baseline's, so that one run with few seeds can be judged. The mean of all 19 is not judged: three
 * collections of garbage more in one seed add a fifth to it.
 */
const deployment: Rule = {
  centre: mean,
  margin: (before, after) => deviations * deviation(before) * Math.sqrt(1 / before.length + 1 / after.length),
};

const rules: Readonly<Record<string, Rule>> = {
  'request.p50': request,
  'deployment.lower': deployment,
  'undeployment.lower': deployment,
};

/** What stands for the samples of a figure: their mean or their median, as it is judged. */
export const centreOf = (name: string, samples: readonly number[]): number => (rules[name] ?? request).centre(samples);

/** Judges samples of a figure by those of its baseline. */
export const judgeFigure = ({ name, unit, where, dimensions, samples }: Metric, after: readonly number[]): Judged => {
  const rule = rules[name];
  const [was, is] = [centreOf(name, samples), centreOf(name, after)];
  const margin = rule?.margin(samples, after);
  const change = is - was;
  const judgement =
    margin === undefined ? 'not judged' : Math.abs(change) <= margin ? 'same' : change > 0 ? 'worse' : 'better';
  return { metric: { name, unit, where, dimensions }, before: was, after: is, margin, judgement };
};

const identity = ({ version = '', sha256, detail = '' }: Input): string =>
  `${version} ${sha256?.slice(0, 12) ?? detail}`.trim();

/** The inputs that are not the same on both sides, by version and digest. */
export const changedInputs = (
  before: readonly Input[],
  after: readonly Input[],
): readonly { readonly name: string; readonly was: string; readonly is: string }[] => {
  const now = new Map(after.map((input) => [input.name, identity(input)]));
  const then = new Map(before.map((input) => [input.name, identity(input)]));
  return [...new Set([...then.keys(), ...now.keys()])].flatMap((name) => {
    const [was = 'none', is = 'none'] = [then.get(name), now.get(name)];
    return was === is ? [] : [{ name, was, is }];
  });
};

/** Why a baseline does not apply to a run, one line a reason. */
export const reasonsNotApplicable = (baseline: Baseline, results: Results): readonly string[] =>
  changedInputs(baseline.inputs, decisiveInputs(results)).map(
    ({ name, was, is }) => `${name}: ${was} in the baseline, ${is} in the run`,
  );

/**
 * Judges a deterministic run by a baseline. Throws a LabError (incomplete) when the baseline does not apply to it, when
 * the run came to no end, or when it lacks a figure of the baseline.
 */
export const judgeRun = (baseline: Baseline, results: Results): readonly Judged[] => {
  const refuse = (why: string, next: readonly string[] = []) => new LabError(why, { fault: 'incomplete', next });
  const reasons = reasonsNotApplicable(baseline, results);
  if (reasons.length > 0)
    throw refuse(`the baseline does not apply to this run: ${reasons.join('; ')}`, [
      'make a new one from a run of the unchanged product with these inputs: npm run lab -- report baseline REPORT',
    ]);
  if (!['passed', 'failed'].includes(results.verdict)) throw refuse(`the run came to no end: ${results.verdict}`);
  const found = new Map(metricsOf(results).map((metric) => [metricKey(metric), metric.samples]));
  const missing = baseline.metrics.filter((metric) => (found.get(metricKey(metric)) ?? []).length === 0);
  if (missing.length > 0 && results.verdict === 'passed')
    throw refuse(`the run lacks figures of the baseline: ${missing.map(({ name }) => name).join(', ')}`);
  return baseline.metrics.flatMap((metric) => {
    const samples = found.get(metricKey(metric)) ?? [];
    return samples.length === 0 ? [] : [judgeFigure(metric, samples)];
  });
};
