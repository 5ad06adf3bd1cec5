import { stripVTControlCharacters } from 'node:util';
import { type Expectation, type Metric, notStarted, type Results, type Verdict } from './results.ts';
import { median } from './statistics.ts';

/** The words that every writer uses for a verdict. */
export const verdictWords: Readonly<Record<Verdict, string>> = {
  passed: 'passed',
  failed: 'failed',
  error: 'the lab failed',
  incomplete: 'incomplete',
};

const rank: readonly Verdict[] = ['error', 'failed', 'incomplete', 'passed'];

/** `bridged on virt (aarch64)`. */
export const titleOf = ({ scenario, machine }: Results): string =>
  `${scenario.name} on ${machine.name} (${machine.architecture})`;

/** An expectation in one line: what was expected and what came, as far as it is known. */
export const expectationLine = ({ what, expected, came }: Expectation): string =>
  [
    what,
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(came === undefined ? [] : [`came ${came}`]),
  ].join(', ');

/** Why a run did not pass, in one line; undefined when it did. */
export const reasonOf = ({ verdict, steps, run }: Results): string | undefined => {
  if (verdict === 'passed') return undefined;
  if (run.failure) return `${run.failure.step}: ${run.failure.message}`;
  const worst = steps
    .filter((step) => step.verdict !== 'passed')
    .toSorted((a, b) => rank.indexOf(a.verdict) - rank.indexOf(b.verdict))[0];
  if (!worst) return undefined;
  const expectation = worst.expectations.find((one) => one.verdict === worst.verdict);
  return expectation ? `${worst.name}: ${expectationLine(expectation)}` : worst.name;
};

/** How the figures of a run may not be read; undefined when they are what they seem. */
export const warningOf = ({ machine }: Results): string | undefined => {
  if (machine.accelerator === notStarted) return undefined;
  if (machine.fidelity === 'emulated')
    return `This ran on an emulator (${machine.accelerator}): its times and rates are never performance. Counts are counts.`;
  if (machine.fidelity === 'counted')
    return 'Times here are instructions counted by the emulator: the same from run to run, but not performance.';
  return undefined;
};

/**
 * Text from a board or a service without what a terminal would obey: escape sequences are dropped, control characters
 * other than line breaks are blanks.
 */
export const plain = (text: string): string => stripVTControlCharacters(text).replace(/[^\P{Cc}\n]/gu, ' ');

const digits = (value: number): string =>
  new Intl.NumberFormat('en', {
    maximumFractionDigits: Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 1 : 3,
  }).format(value);

const scaled = (value: number, base: number, units: readonly string[]): string => {
  const steps = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log(Math.abs(value)) / Math.log(base))));
  return `${digits(value / base ** steps)} ${units[steps]}`;
};

/** A value in a person's units: 1270 us is `1.3 ms`, 27000000 bytes are `25.7 MiB`. */
export const formatValue = (value: number, unit: Metric['unit']): string => {
  switch (unit) {
    case '1':
      return digits(value);
    case '1/s':
      return `${digits(value)}/s`;
    case '%':
      return `${digits(value)} %`;
    case 'bytes':
      return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB']);
    case 's':
      return scaled(value * 1_000_000, 1000, ['µs', 'ms', 's']);
    case 'ms':
      return scaled(value * 1000, 1000, ['µs', 'ms', 's']);
    case 'us':
      return scaled(value, 1000, ['µs', 'ms', 's']);
  }
};

/** A metric's median in a person's units, with the number of samples when there are several. */
export const formatMetric = ({ samples, unit }: Metric): string => {
  const middle = median(samples);
  if (middle === undefined) return 'no sample';
  return samples.length === 1
    ? formatValue(middle, unit)
    : `${formatValue(middle, unit)} (median of ${samples.length})`;
};

/** Metrics by load name, in the order they were measured. */
export const metricsByLoad = (metrics: readonly Metric[]): ReadonlyMap<string, readonly Metric[]> => {
  const loads = metrics.filter(({ name }) => name.startsWith('load.'));
  return new Map(
    Object.entries(Object.groupBy(loads, ({ dimensions }) => dimensions['load'] ?? '')).map(([k, v]) => [k, v ?? []]),
  );
};
