import type { Metric, Place } from './results.ts';
import { median } from './statistics.ts';

/** The mean of the middle 80 % of samples; 0 of none. */
export const trimmedMean = (samples: readonly number[]): number => {
  const sorted = samples.toSorted((a, b) => a - b);
  const cut = Math.floor(sorted.length / 10);
  const middle = sorted.slice(cut, sorted.length - cut);
  return mean(middle);
};

/** The mean; 0 of none. */
export const mean = (samples: readonly number[]): number =>
  samples.length === 0 ? 0 : samples.reduce((sum, sample) => sum + sample, 0) / samples.length;

/**
 * The mean of the smaller half of samples; 0 of none. What adds to some of them by chance, as a collection of garbage
 * does, adds nothing to it.
 */
export const lowerHalfMean = (samples: readonly number[]): number =>
  mean(samples.toSorted((a, b) => a - b).slice(0, Math.ceil(samples.length / 2)));

/** A figure in instructions, in whole ones: one sample, of one boot. */
export const instructionsMetric = (
  name: string,
  where: Place,
  instructions: number,
  dimensions: Readonly<Record<string, string>> = {},
): Metric => ({
  ...{ name, unit: 'instructions', kind: 'counted', where },
  dimensions: { ...dimensions },
  samples: [Math.round(instructions)],
});

/** What a load costs a request: in the middle, on average without the extremes, and the client's own part. */
export const requestMetrics = (
  load: string,
  where: Place,
  { took, client }: { readonly took: readonly number[]; readonly client: number },
): readonly Metric[] =>
  Object.entries({
    'request.p50': median(took) ?? 0,
    'request.trimmed': trimmedMean(took),
    'request.client': client / Math.max(1, took.length),
  }).map(([name, instructions]) => instructionsMetric(name, where, instructions, { load }));
