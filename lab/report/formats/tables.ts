import { loadCounts } from '../model/load-record.ts';
import { metricsOf } from '../model/metrics.ts';
import type { Results } from '../model/results.ts';
import { formatMetric, formatValue, inOrder, metricsByLoad, otherFigures } from './wording.ts';

/** A table in words, as every format that draws tables has it. */
export type Table = { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };

/** What was counted of each load. */
export const countTable = (results: Results): Table => ({
  head: ['load', ...Object.values(loadCounts)],
  rows: [...metricsByLoad(metricsOf(results))].map(([load, metrics]) => [
    load,
    ...Object.keys(loadCounts).map((count) => {
      const metric = metrics.find(({ name }) => name === `load.${count}`);
      return metric ? formatMetric(metric) : '';
    }),
  ]),
});

/** The response times of each load at its percentiles. */
export const latencyTable = ({ run }: Results): Table => {
  const marks = Object.keys(run.latencies[0]?.percentiles ?? {});
  return {
    head: ['load', 'responses', ...marks],
    rows: inOrder(run.latencies).map(({ name, count, percentiles }) => [
      name,
      formatValue(count, '1'),
      ...marks.map((mark) => formatValue(percentiles[mark] ?? 0, 'us')),
    ]),
  };
};

/** Every figure that belongs to no load. */
export const figureTable = (results: Results): Table => ({
  head: ['figure', 'dimensions', 'where', 'kind', 'value'],
  rows: otherFigures(results).map((metric) => [
    metric.name,
    Object.values(metric.dimensions).join(', '),
    metric.where,
    metric.kind,
    formatMetric(metric),
  ]),
});
