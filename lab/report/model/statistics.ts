/** The middle sample, or the mean of the two middle ones; undefined of none. */
export const median = (samples: readonly number[]): number | undefined => {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return middle.length === 0 ? undefined : middle.reduce((sum, sample) => sum + sample, 0) / middle.length;
};

/** A range that holds the true value with 95 % confidence. */
export type Interval = { readonly low: number; readonly high: number };

const resamples = 10_000;

/** Mulberry32: 32 bits of state are plenty here, and a fixed seed gives the same interval for the same samples. */
const random = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const drawMedian = (samples: readonly number[], next: () => number): number =>
  median(samples.map(() => samples[Math.floor(next() * samples.length)] ?? 0)) ?? 0;

const middle95 = (values: readonly number[]): Interval => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return { low: at(0.025), high: at(0.975) };
};

/** The fewest samples of a side from which anything is concluded: below, no outcome of the rank test is rare enough. */
export const fewestSamples = 4;

/**
 * The median's 95 % interval by the percentile bootstrap, 10,000 resamples; undefined below {@link fewestSamples}.
 *
 * Assumes that samples are independent and alike: a sample is a replicate (a boot or a fresh deployment), never one
 * request. With few samples the interval is too narrow: read it as the spread, and leave decisions to {@link rankTest}.
 */
export const medianInterval = (samples: readonly number[]): Interval | undefined => {
  if (samples.length < fewestSamples) return undefined;
  const next = random(1);
  return middle95(Array.from({ length: resamples }, () => drawMedian(samples, next)));
};

/** The 95 % interval of median(after) / median(before), resampled and assumed as in {@link medianInterval}. */
export const ratioInterval = (before: readonly number[], after: readonly number[]): Interval | undefined => {
  if (Math.min(before.length, after.length) < fewestSamples || before.some((sample) => sample <= 0)) return undefined;
  const next = random(1);
  return middle95(Array.from({ length: resamples }, () => drawMedian(after, next) / drawMedian(before, next)));
};

/** Twice the rank of each sample, so that tied samples, which share their mean rank, have whole ones. */
const doubledRanks = (samples: readonly number[]): readonly number[] => {
  const sorted = samples.toSorted((a, b) => a - b);
  return samples.map((sample) => sorted.indexOf(sample) + sorted.lastIndexOf(sample) + 2);
};

/**
 * In how many ways `size` of `ranks` can be chosen to give each sum: the exact distribution of the rank sum when it
 * makes no difference which side a sample came from, ties included.
 */
const rankSums = (ranks: readonly number[], size: number): readonly number[] => {
  const total = ranks.reduce((sum, rank) => sum + rank, 0);
  const ways = Array.from({ length: size + 1 }, () => new Float64Array(total + 1));
  const none = ways[0];
  if (none) none[0] = 1;
  for (const rank of ranks)
    for (let chosen = size; chosen > 0; chosen -= 1) {
      const without = ways[chosen - 1];
      const having = ways[chosen];
      if (!without || !having) continue;
      for (let sum = total; sum >= rank; sum -= 1) having[sum] = (having[sum] ?? 0) + (without[sum - rank] ?? 0);
    }
  return [...(ways[size] ?? [])];
};

/** The ranks, and how far the rank sum of `before` lies from what it is on average when sides make no difference. */
const rankSumOf = (before: readonly number[], after: readonly number[]) => {
  const ranks = doubledRanks([...before, ...after]);
  const sum = ranks.slice(0, before.length).reduce((total, rank) => total + rank, 0);
  const mean = ranks.reduce((total, rank) => total + rank, 0) / ranks.length;
  return { ranks, mean, expected: before.length * mean, distance: Math.abs(sum - before.length * mean) };
};

/**
 * The two-sided p of the Wilcoxon-Mann-Whitney rank sum test, exact by counting all divisions of the samples, ties
 * included. Takes time with the fourth power of their number, and its counts are beyond what a number holds from about
 * 1,000 samples on. Both sides must have a sample.
 */
export const exactRankTest = (before: readonly number[], after: readonly number[]): number => {
  const { ranks, expected, distance } = rankSumOf(before, after);
  const ways = rankSums(ranks, before.length);
  const all = ways.reduce((sum, count) => sum + count, 0);
  const asFar = ways.filter((_, sum) => Math.abs(sum - expected) >= distance - 1e-9);
  return asFar.reduce((sum, count) => sum + count, 0) / all;
};

/** The complementary error function of what is not negative, to 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
const erfc = (x: number): number => {
  const t = 1 / (1 + 0.3275911 * x);
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return series.reduce((sum, factor) => (sum + factor) * t, 0) * Math.exp(-x * x);
};

/**
 * The same p by the normal distribution with the rank sum's variance, which ties lessen, and half a rank's correction
 * for continuity: good for many samples.
 */
const normalRankTest = (before: readonly number[], after: readonly number[]): number => {
  const { ranks, mean, distance } = rankSumOf(before, after);
  const squares = ranks.reduce((sum, rank) => sum + (rank - mean) ** 2, 0);
  const variance = (before.length * after.length * squares) / (ranks.length * (ranks.length - 1));
  // ranks are doubled: 1 is half a rank
  return variance === 0 ? 1 : erfc(Math.max(0, distance - 1) / Math.sqrt(2 * variance));
};

/** More samples than this on both sides together are not counted out: it would take too long. */
const maxCounted = 100;

/**
 * The two-sided p of the Wilcoxon-Mann-Whitney rank sum test, ties included: exact up to 100 samples on both sides
 * together, above that by the normal distribution. Assumes independent samples; nothing about their distribution. 1
 * when a side has no sample.
 */
export const rankTest = (before: readonly number[], after: readonly number[]): number => {
  if (before.length === 0 || after.length === 0) return 1;
  const test = before.length + after.length <= maxCounted ? exactRankTest : normalRankTest;
  return test(before, after);
};
