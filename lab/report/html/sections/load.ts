import { countTable, latencyTable } from '../../formats/tables.ts';
import { loadFigureTable } from '../../formats/wording.ts';
import { metricsOf } from '../../model/metrics.ts';
import type { Results } from '../../model/results.ts';
import { latencyChart, throughputChart } from '../charts.ts';
import { html, type Markup, type Part } from '../markup.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

const counts = (results: Results): Markup | undefined => {
  const { head, rows } = countTable(results);
  return table('Counts of every load', head, rows);
};

const latencies = (results: Results): Markup | undefined => {
  const { head, rows } = latencyTable(results);
  return table('Response times', head, rows);
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
  const parts = [counts, rateTable, latencies, latencyChart, throughputChart].map((part) => part(results));
  return parts.some((part) => part !== undefined) ? parts : undefined;
};

/** Counts, rates and response times of every load. */
export const load: Section = { id: 'load', title: 'Load', content };
