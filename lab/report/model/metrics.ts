import type { Metric, Results } from './results.ts';

/** All figures of a run. */
export const metricsOf = ({ metrics = [], run }: Pick<Results, 'metrics' | 'run'>): readonly Metric[] => [
  ...metrics,
  ...run.metrics,
];

/** What tells one metric of a run from the others. */
export const metricKey = ({ name, where, dimensions }: Metric): string =>
  JSON.stringify([name, where, Object.entries(dimensions).toSorted(([a], [b]) => (a < b ? -1 : 1))]);

/** The metrics of several replicates as one list: each metric once, with a sample a replicate. */
export const joinReplicates = (replicates: readonly (readonly Metric[])[]): readonly Metric[] => {
  const joined = new Map<string, Metric>();
  for (const metric of replicates.flat()) {
    const key = metricKey(metric);
    joined.set(key, { ...metric, samples: [...(joined.get(key)?.samples ?? []), ...metric.samples] });
  }
  return [...joined.values()];
};

/** Counts of what must not happen. */
const faults = new Set(['load.wrongStatus', 'load.wrongBody', 'load.errors', 'load.timeouts']);

/** What describes a load and its generator rather than the product. */
const neutral = new Set([
  'load.seconds',
  'load.lateness.p99',
  'load.cpu.interrupts',
  'load.generator.cpu',
  'load.generator.delay.p99',
  'request.client',
]);

/** Which way a metric is better; undefined for one that is neither. `none` at all is the only good count of faults. */
export const betterWhen = ({ name, unit }: Pick<Metric, 'name' | 'unit'>): 'lower' | 'higher' | 'none' | undefined => {
  if (faults.has(name)) return 'none';
  if (neutral.has(name) || unit === '1' || unit === 'x') return undefined;
  return unit === '1/s' ? 'higher' : 'lower';
};
