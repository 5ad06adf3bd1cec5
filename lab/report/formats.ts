import { junit } from './formats/junit.ts';
import { summary } from './formats/summary.ts';
import type { LogText } from './html/run.ts';
import { htmlReport } from './html.ts';
import type { Results } from './model/results.ts';

/** A form of a run's report: the name of its file, and its whole text out of the results and the ends of their logs. */
export type ReportFormat = {
  readonly file: string;
  readonly write: (results: Results, logs: readonly LogText[]) => string;
};

/** Every form in which a report is written, in this order: where `results.json` is, the report is complete. */
export const formats: readonly ReportFormat[] = [
  { file: 'junit.xml', write: junit },
  { file: 'report.html', write: htmlReport },
  { file: 'summary.md', write: summary },
  { file: 'results.json', write: (results) => `${JSON.stringify(results, undefined, 2)}\n` },
];
