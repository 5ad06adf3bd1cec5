import { formatMetric, formatValue, inOrder, loadFigureTable, metricsByLoad } from '../../formats/wording.ts';
import { loadCounts } from '../../model/load-record.ts';
import { metricsOf } from '../../model/metrics.ts';
import type { Results } from '../../model/results.ts';
import { latencyChart, throughputChart } from '../charts.ts';
import { html, type Markup, type Part } from '../markup.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

const loadTable = (results: Results): Markup | undefined =>
  table(
    'Counts of every load',
    ['load', ...Object.values(loadCounts)],
    [...metricsByLoad(metricsOf(results))].map(([load, metrics]) => [
      load,
      ...Object.keys(loadCounts).map((count) => {
        const metric = metrics.find(({ name }) => name === `load.${count}`);
        return metric && formatMetric(metric);
      }),
    ]),
  );

const latencyTable = ({ run }: Results): Markup | undefined => {
  const marks = Object.keys(run.latencies[0]?.percentiles ?? {});
  return table(
    'Response times',
    ['load', 'responses', ...marks],
    inOrder(run.latencies).map(({ name, count, percentiles }) => [
      name,
      formatValue(count, '1'),
      ...marks.map((mark) => formatValue(percentiles[mark] ?? 0, 'us')),
    ]),
  );
};

/** Rates, and what a request took of the board and of the load generator. */
const rateTable = (results: Results): Markup | undefined => {
  const { head, rows } = loadFigureTable(results);
  const rates = table('Rates and CPU time', head, rows);
  const several = metricsOf(results).some(({ kind, samples }) => kind === 'performance' && samples.length > 1);
  return rates && several
    ? html`${rates}<p><small>Medians; in brackets their 95 % interval and the number of samples.</small></p>`
    : rates;
};

const content = (results: Results): Part => {
  const parts = [loadTable, rateTable, latencyTable, latencyChart, throughputChart].map((part) => part(results));
  return parts.some((part) => part !== undefined) ? parts : undefined;
};

/** Counts, rates and response times of every load. */
export const load: Section = { id: 'load', title: 'Load', content };
