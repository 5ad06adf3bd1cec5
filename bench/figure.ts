import type { Interval } from '../lab/report/model/statistics.ts';

/** One measured figure. `target` is what the project set itself, as text; `met` says whether this run reached it. */
export type Figure = {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The value is a median; this is its 95 % interval. */
  readonly interval?: Interval;
  readonly target?: string;
  readonly met?: boolean;
};

/** A group of measurements that belong together; `say` tells what is being measured. */
export type Bench = {
  readonly name: string;
  readonly about: string;
  readonly run: (say: (text: string) => void, signal: AbortSignal) => Promise<readonly Figure[]>;
};

/** A figure with an upper limit as its target. */
export const atMost = (what: string, value: number, unit: string, limit: number): Figure => ({
  what,
  value,
  unit,
  target: `<= ${limit} ${unit}`,
  met: value <= limit,
});

const rounded = (value: number, unit: string): string => {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  // a ratio says little but what it has beyond 1
  return unit === 'x' ? value.toFixed(3) : value.toPrecision(3);
};

/** Figures as a Markdown table. */
export const table = (figures: readonly Figure[]): string =>
  [
    '| figure | measured | target | |',
    '| --- | --- | --- | --- |',
    ...figures.map(({ what, value, unit, interval, target = '', met }) => {
      const range = interval ? ` (${rounded(interval.low, unit)} to ${rounded(interval.high, unit)})` : '';
      const sign = met === undefined ? '' : met ? 'met' : '**missed**';
      return `| ${what} | ${rounded(value, unit)} ${unit}${range} | ${target} | ${sign} |`;
    }),
  ].join('\n');
