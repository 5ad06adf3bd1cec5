import { json, suiteJson } from './formats/json.ts';
import { junit, suiteJunit } from './formats/junit.ts';
import { suiteSummary, summary } from './formats/summary.ts';
import type { LogText } from './html/section.ts';
import { suitePage } from './html/suite.ts';
import { htmlReport } from './html.ts';
import type { Results } from './model/results.ts';
import type { Shard, SuiteEntry } from './model/suite.ts';

/** A form of a report: the name of its file, and its whole text. */
type Form<Parts extends readonly unknown[]> = {
  readonly file: string;
  readonly write: (...parts: Parts) => string;
};

/** A format: how a run's report is written in it, from the results and the ends of their logs, and a suite's. */
export type ReportFormat = {
  readonly run: Form<[results: Results, logs: readonly LogText[]]>;
  readonly suite: Form<[entries: readonly SuiteEntry[], shard?: Shard]>;
};

/** Every format of a report, in the order of writing: where `results.json` or `suite.json` is, the report is complete. */
export const reportFormats: readonly ReportFormat[] = [
  { run: { file: 'junit.xml', write: junit }, suite: { file: 'junit.xml', write: suiteJunit } },
  { run: { file: 'report.html', write: htmlReport }, suite: { file: 'report.html', write: suitePage } },
  { run: { file: 'summary.md', write: summary }, suite: { file: 'summary.md', write: suiteSummary } },
  { run: { file: 'results.json', write: json }, suite: { file: 'suite.json', write: suiteJson } },
];
