import { LabError } from '../../system/errors.ts';
import { betterWhen, metricKey, metricsOf } from '../model/metrics.ts';
import type { Metric, Results } from '../model/results.ts';
import { fewestSamples, type Interval, median, rankTest, ratioInterval } from '../model/statistics.ts';

export type Judgement = 'better' | 'worse' | 'same' | "can't tell";

export type MetricChange = {
  readonly metric: Pick<Metric, 'name' | 'unit' | 'where' | 'dimensions'>;
  readonly judgement: Judgement;
  /** Medians of either side; absent where it has no sample. */
  readonly before?: number;
  readonly after?: number;
  /** after / before with its 95 % interval, where it can be said. */
  readonly ratio?: Interval;
  /** Why nothing can be told. */
  readonly why?: string;
};

export type Diff = {
  readonly changes: readonly MetricChange[];
  /** Inputs that are not the same in both runs, by name. */
  readonly inputs: readonly { readonly name: string; readonly before: string; readonly after: string }[];
  /** True when a metric is worse or the second run failed where the first one passed. */
  readonly regression: boolean;
};

/** A change of a median by less than this is no change that matters. */
export const margin = 0.05;
const significance = 0.05;

/** Why two runs cannot be compared, one line a reason. */
export const reasonsNotComparable = (before: Results, after: Results): readonly string[] => {
  const same = (what: string, of: (results: Results) => unknown) => {
    const [a, b] = [JSON.stringify(of(before)), JSON.stringify(of(after))];
    return a === b ? [] : [`${what}: ${a} and ${b}`];
  };
  const native = (results: Results) => ['virtualized', 'native', 'hardware'].includes(results.machine.fidelity);
  const finished = (which: string, { verdict }: Results, allowed: readonly string[]) =>
    allowed.includes(verdict) ? [] : [`${which} run: ${verdict}`];
  const throttled = (which: string, { run }: Results) => {
    const { before: was, after: is } = run.condition?.['throttling'] ?? {};
    return is !== undefined && is !== was ? [`${which} run: the board was throttled, ${is}`] : [];
  };
  return [
    ...same('scenario', ({ scenario }) => scenario.name),
    ...same('machine', ({ machine }) => machine),
    ...same('options', ({ options }) => Object.entries(options).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ...(native(before) && native(after) ? same('host', ({ run }) => run.host) : []),
    ...throttled('first', before),
    ...throttled('second', after),
    ...finished('first', before, ['passed']),
    ...finished('second', after, ['passed', 'failed']),
  ];
};

const judgeFaults = (before: readonly number[], after: readonly number[]): Judgement => {
  const [had, has] = [before.some((count) => count > 0), after.some((count) => count > 0)];
  if (had && has) return "can't tell";
  return had === has ? 'same' : has ? 'worse' : 'better';
};

/**
 * Judges one metric. Worse or better: the medians differ by {@link margin} or more, and the rank sum test says
 * that so different samples come by chance in 5 % of all cases at most. Same: the 95 % bootstrap interval of the
 * ratio of medians lies within the margin. Otherwise nothing can be told. See statistics.ts for what is assumed.
 */
const judge = (metric: Metric, before: readonly number[], after: readonly number[]): MetricChange => {
  const { name, unit, where, dimensions } = metric;
  const [a, b] = [median(before), median(after)];
  const ratio = ratioInterval(before, after);
  const said = {
    metric: { name, unit, where, dimensions },
    ...(a !== undefined && { before: a }),
    ...(b !== undefined && { after: b }),
    ...(ratio && { ratio }),
  };
  if (a === undefined || b === undefined)
    return { ...said, judgement: "can't tell", why: `only in the ${a === undefined ? 'second' : 'first'} run` };
  const better = betterWhen(metric);
  if (better === 'none') {
    const judgement = judgeFaults(before, after);
    return { ...said, judgement, ...(judgement === "can't tell" && { why: 'both runs had some' }) };
  }
  if (Math.min(before.length, after.length) < fewestSamples)
    return { ...said, judgement: "can't tell", why: `fewer than ${fewestSamples} replicates` };
  if (ratio && ratio.low >= 1 - margin && ratio.high <= 1 + margin) return { ...said, judgement: 'same' };
  const changed = Math.abs(b - a) >= margin * Math.abs(a);
  if (changed && rankTest(before, after) <= significance)
    return { ...said, judgement: b > a === (better === 'higher') ? 'better' : 'worse' };
  return { ...said, judgement: "can't tell", why: 'the samples scatter too much' };
};

const changesOf = (before: readonly Metric[], after: readonly Metric[]): readonly MetricChange[] => {
  const judged = (metrics: readonly Metric[]) =>
    new Map(
      metrics
        .filter((metric) => metric.kind !== 'emulated' && betterWhen(metric) !== undefined)
        .map((metric) => [metricKey(metric), metric]),
    );
  const [first, second] = [judged(before), judged(after)];
  return [...new Map([...first, ...second])].map(([key, metric]) =>
    judge(metric, first.get(key)?.samples ?? [], second.get(key)?.samples ?? []),
  );
};

const changedInputs = (before: Results, after: Results): Diff['inputs'] => {
  const identities = ({ inputs }: Results) =>
    new Map(inputs.map(({ name, version, sha256, detail }) => [name, [version, sha256 ?? detail].join(' ').trim()]));
  const [first, second] = [identities(before), identities(after)];
  return [...new Set([...first.keys(), ...second.keys()])]
    .filter((name) => first.get(name) !== second.get(name))
    .map((name) => ({ name, before: first.get(name) ?? 'absent', after: second.get(name) ?? 'absent' }));
};

/**
 * Compares two runs of one scenario on one kind of machine. Times seen under emulation are left out. Throws a
 * LabError (incomplete) naming every obstacle when the runs are not comparable.
 */
export const diff = (before: Results, after: Results): Diff => {
  const reasons = reasonsNotComparable(before, after);
  if (reasons.length > 0)
    throw new LabError(`these runs are not comparable: ${reasons.join('; ')}`, {
      fault: 'incomplete',
      next: ['run the same scenario twice with the same options on the same machine'],
    });
  const changes = changesOf(metricsOf(before), metricsOf(after));
  return {
    changes,
    inputs: changedInputs(before, after),
    regression: after.verdict === 'failed' || changes.some(({ judgement }) => judgement === 'worse'),
  };
};

/** False for a count of faults of which there were none: that a run had none is its verdict already. */
const tells = ({ metric, before, after }: MetricChange): boolean =>
  betterWhen(metric) !== 'none' || before !== 0 || after !== 0;

/**
 * Throws a LabError (incomplete) when nothing in a comparison could have become worse or better, so that "no
 * regression" would say nothing: two runs of an emulated machine without a failed request.
 */
export const refuseEmpty = ({ regression, changes }: Diff, { machine, scenario }: Results): void => {
  if (regression || changes.some(tells)) return;
  const why =
    machine.fidelity === 'emulated'
      ? 'times of an emulated machine are no figures, and no request failed in either run'
      : 'neither run has a figure that can be judged';
  throw new LabError(`these runs have nothing to compare: ${why}`, {
    fault: 'incomplete',
    next: [`npm run lab -- scenario ${scenario.name} --machine local --replicates 5`],
  });
};
