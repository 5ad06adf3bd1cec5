import { formatValue, inOrder } from '../formats/wording.ts';
import { histogramOf } from '../model/latency.ts';
import type { LatencyHistogram, Results } from '../model/results.ts';
import { type Axis, chart, type Line, linearAxis, logAxis } from './chart.ts';
import type { Markup } from './markup.ts';

const us = (value: number): string => formatValue(value, 'us');

/** How many nines a percentile has: 1 at 90 %, 2 at 99 %. */
const nines = (percentile: number): number => -Math.log10(1 - percentile / 100);
const percentileAt = (ninesOf: number): number => 100 * (1 - 10 ** -ninesOf);
const shown = [50, 90, 99, 99.9, 99.99, 99.999];
const steps = 120;

/** The tail is drawn as far as there is a response for it, 99.9 % of 1,000, and ends with the slowest one. */
const latencyLine = (latency: LatencyHistogram): Line => {
  const histogram = histogramOf(latency);
  const end = Math.min(nines(99.999), Math.log10(Math.max(2, latency.count)));
  const value = (percentile: number) => Math.max(1, histogram.getValueAtPercentile(percentile));
  return {
    name: latency.name,
    points: Array.from({ length: steps + 1 }, (_, i) => {
      const at = (i / steps) * end;
      return [at, value(i === steps ? 100 : percentileAt(at))] as const;
    }),
    marks: shown
      .filter((percentile) => nines(percentile) <= end)
      .map((percentile) => ({
        at: [nines(percentile), value(percentile)],
        text: `${percentile} % within ${us(value(percentile))}`,
      })),
  };
};

const percentileAxis = (end: number): Axis => ({
  title: 'share of responses (the tail stretched)',
  place: (value) => value / end,
  ticks: shown
    .filter((percentile) => nines(percentile) <= end + 0.01)
    .map((percentile) => ({ value: nines(percentile), text: `${percentile}%` })),
});

/** Latency by percentile, both axes logarithmic; undefined when nothing was answered. */
export const latencyChart = ({ run }: Results): Markup | undefined => {
  const lines = inOrder(run.latencies)
    .filter(({ count }) => count > 0)
    .map(latencyLine);
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  if (values.length === 0) return undefined;
  const x = percentileAxis(Math.max(...lines.flatMap(({ points }) => points.map(([at]) => at))));
  const y = logAxis('Response time by percentile', Math.min(...values), Math.max(...values), us);
  return chart('Response time by percentile, on logarithmic axes', x, y, lines);
};

/** Responses in each second of each load; undefined when no load lasted two seconds: a dot shows no course. */
export const throughputChart = ({ run }: Results): Markup | undefined => {
  const loads = inOrder(run.throughput ?? []).filter(({ perSecond }) => perSecond.length > 1);
  if (loads.length === 0) return undefined;
  const seconds = Math.max(...loads.map(({ perSecond }) => perSecond.length));
  const x = linearAxis('seconds since the first response', seconds, (value) => formatValue(value, '1'));
  const y = linearAxis('Responses per second', Math.max(...loads.flatMap(({ perSecond }) => perSecond)), (value) =>
    formatValue(value, '1'),
  );
  const lines = loads.map(({ name, perSecond }): Line => {
    const points = perSecond.map((count, i) => [i + 0.5, count] as const);
    return {
      name,
      points,
      marks: points.map((at) => ({ at, text: `${formatValue(at[1], '1')} responses in second ${at[0] + 0.5}` })),
    };
  });
  return chart('Responses in each second of the load', x, y, lines);
};
