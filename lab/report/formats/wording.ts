import { stripVTControlCharacters } from 'node:util';
import { loadFigures } from '../model/load-record.ts';
import { metricsOf } from '../model/metrics.ts';
import { verdictRank } from '../model/replicates.ts';
import {
  type Expectation,
  type FirstAnswer,
  type Metric,
  notStarted,
  type Results,
  type Run,
  type Verdict,
} from '../model/results.ts';
import { median, medianInterval } from '../model/statistics.ts';
import type { SuiteEntry } from '../model/suite.ts';
import { verdictWords } from './verdict.ts';

/** What a run was on: `virt`, or `2 x virt`. */
export const machineOf = ({ machine: { name, boards } }: Pick<Results, 'machine'>): string =>
  boards === undefined ? name : `${boards} x ${name}`;

/** `bridged on virt (aarch64)`. */
export const titleOf = (results: Results): string =>
  `${results.scenario.name} on ${machineOf(results)} (${results.machine.architecture})`;

/** What boards were like before and after a run, one line a fact; of several boards the line begins with its name. */
export const conditionsOf = (
  run: Run,
): readonly { readonly name: string; readonly before?: string; readonly after?: string }[] => {
  const each = [{ prefix: '', condition: run.condition }].concat(
    (run.boards ?? []).map(({ name, condition }) => ({ prefix: `${name}: `, condition })),
  );
  return each.flatMap(({ prefix, condition = {} }) =>
    Object.entries(condition).map(([name, seen]) => ({ name: prefix + name, ...seen })),
  );
};

/** An expectation in one line: what was expected and what was seen, as far as it is known. */
export const expectationLine = ({ name, expected, actual }: Expectation): string =>
  [
    name,
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(actual === undefined ? [] : [`got ${actual}`]),
  ].join(', ');

/** Why a run did not pass, in one line; undefined when it did. */
export const reasonOf = ({ verdict, steps, run }: Results): string | undefined => {
  if (verdict === 'passed') return undefined;
  if (run.failure) return `${run.failure.step}: ${run.failure.message}`;
  const worst = steps
    .filter((step) => step.verdict !== 'passed')
    .toSorted((a, b) => verdictRank.indexOf(b.verdict) - verdictRank.indexOf(a.verdict))[0];
  if (!worst) return undefined;
  const expectation = worst.expectations.find((one) => one.verdict === worst.verdict);
  return expectation ? `${worst.name}: ${expectationLine(expectation)}` : worst.name;
};

/** Why an entry of a suite did not pass, as far as its results say it. */
export const entryReason = (results: Results): { readonly reason?: string } => {
  const reason = reasonOf(results);
  return reason === undefined ? {} : { reason };
};

/** `3 passed, 1 failed`. */
export const suiteCounts = (entries: readonly SuiteEntry[]): string =>
  Object.entries(Object.groupBy(entries, ({ verdict }) => verdict))
    .map(([verdict, some]) => `${some.length} ${verdictWords[verdict as Verdict]}`)
    .join(', ');

const startWords = {
  booted: ' The board was booted.',
  restored: ' The board was restored from a saved boot.',
} as const;

/** How the figures of a run may not be read, and how its board came to run; undefined when they are what they seem. */
export const warningOf = ({ machine, run }: Results): string | undefined => {
  if (machine.accelerator === notStarted) return undefined;
  if (machine.fidelity === 'emulated')
    return `This ran on an emulator (${machine.accelerator}): its timings are not performance measurements; counts are valid.${run.emulator?.start ? startWords[run.emulator.start] : ''}`;
  if (machine.fidelity === 'virtualized')
    return `This ran in a virtual machine (${machine.accelerator}): its figures are to be compared with others of the same virtual machine on the same computer, not with those of a board.`;
  if (machine.fidelity === 'counted')
    return 'Times are instructions counted by the emulator: reproducible, but not performance measurements.';
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

/** All digits: who repeats a count compares digit by digit. */
const whole = (value: number): string => new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format(value);

const scaled = (value: number, base: number, units: readonly string[]): string => {
  const steps = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log(Math.abs(value)) / Math.log(base))));
  return `${digits(value / base ** steps)} ${units[steps]}`;
};

/** A value in a person's units: 1270 us is `1.3 ms`, 27000000 bytes are `25.7 MiB`. */
export const formatValue = (value: number, unit: Metric['unit']): string => {
  switch (unit) {
    case '1':
      return digits(value);
    case 'x':
      return `${value.toFixed(2)}×`;
    case '1/s':
      return `${digits(value)}/s`;
    case '%':
      return `${digits(value)} %`;
    case 'instructions':
      return `${whole(value)} instructions`;
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

/** Two values of one unit, which is said once where both have the same prefix. */
const formatRange = (low: number, high: number, unit: Metric['unit']): string => {
  const [from, to] = [formatValue(low, unit), formatValue(high, unit)];
  const [number = '', suffix] = from.split(/(?=[ /×])/);
  return `${suffix !== undefined && to.endsWith(suffix) ? number : from} to ${to}`;
};

/**
 * A metric in a person's units. Several samples: of counts their sum, so that no fault is lost; of anything else their
 * median, its 95 % interval where there is one, and how many they are.
 */
export const formatMetric = ({ samples, unit, kind }: Metric): string => {
  const middle = median(samples);
  if (middle === undefined) return 'no sample';
  if (samples.length === 1) return formatValue(middle, unit);
  if (kind === 'count')
    return formatValue(
      samples.reduce((sum, sample) => sum + sample, 0),
      unit,
    );
  const interval = medianInterval(samples);
  const range = interval ? `${formatRange(interval.low, interval.high, unit)}, ` : 'median, ';
  return `${formatValue(middle, unit)} (${range}n ${samples.length})`;
};

const { compare: byName } = new Intl.Collator('en', { numeric: true });

/** What is told of several loads, in an order that does not depend on when each was measured. */
export const inOrder = <T extends { readonly name: string }>(loads: readonly T[]): readonly T[] =>
  loads.toSorted((a, b) => byName(a.name, b.name));

/** Metrics by load name. */
export const metricsByLoad = (metrics: readonly Metric[]): ReadonlyMap<string, readonly Metric[]> => {
  const loads = metrics.filter(({ name }) => name.startsWith('load.'));
  const groups = Object.entries(Object.groupBy(loads, ({ dimensions }) => dimensions['load'] ?? ''));
  return new Map(groups.toSorted(([a], [b]) => byName(a, b)).map(([load, its]) => [load, its ?? []]));
};

/** A table of the figures of all loads: what none of them has is left out, and so is what an emulator made up. */
export const loadFigureTable = (
  results: Results,
  wanted: readonly string[] = Object.keys(loadFigures),
): { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] } => {
  const figures = metricsOf(results).filter(({ kind }) => kind === 'performance');
  const loads = [...metricsByLoad(figures)];
  const shown = Object.entries(loadFigures).filter(
    ([figure]) => wanted.includes(figure) && figures.some(({ name }) => name === figure),
  );
  if (shown.length === 0) return { head: [], rows: [] };
  return {
    head: ['load', 'from', ...shown.map(([, words]) => words)],
    rows: loads.map(([load, metrics]) => [
      load,
      metrics.find(({ name }) => name === 'load.rate')?.where ?? '',
      ...shown.map(([figure]) => {
        const metric = metrics.find(({ name }) => name === figure);
        return metric ? formatMetric(metric) : '';
      }),
    ]),
  };
};

/** Figures of a run that belong to no load. */
export const otherFigures = (results: Results): readonly Metric[] =>
  metricsOf(results).filter(({ name }) => !name.startsWith('load.'));

/** The first answer in a line: status, length, content type and, where there is one, encoding. */
export const answerLine = ({ status, headers, bodyBytes }: FirstAnswer): string => {
  const { 'content-type': type = 'no content type', 'content-encoding': encoding } = headers;
  return [
    `Status ${status}`,
    `${bodyBytes} bytes`,
    type,
    ...(encoding === undefined ? [] : [`encoded as ${encoding}`]),
  ].join(', ');
};
