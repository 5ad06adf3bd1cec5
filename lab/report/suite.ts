import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Chalk } from 'chalk';
import { columns } from './formats/columns.ts';
import { formatValue, plain, reasonOf } from './formats/format.ts';
import { junitDocument, junitSuite, outcomeSuite } from './formats/junit.ts';
import { cell } from './formats/summary.ts';
import { verdictColours, verdictWords } from './formats/verdict.ts';
import { suitePage } from './html/suite.ts';
import { worstVerdict } from './model/replicates.ts';
import type { Results, Verdict } from './model/results.ts';

/** One scenario on one machine, as a suite saw it; `results` are missing when it left none. */
export type SuiteEntry = {
  readonly scenario: string;
  readonly machine: string;
  readonly verdict: Verdict;
  readonly seconds: number;
  readonly reason?: string;
  /** The report's folder, beside the suite's own. */
  readonly report?: string;
  readonly results?: Results;
};

/**
 * The entries of a suite. What could not run on its machine is one only where it was asked for by name or where nothing
 * else ran: a suite of everything is of what the machine can do.
 */
export const countedEntries = (
  ran: readonly SuiteEntry[],
  unable: readonly SuiteEntry[],
  wereNamed: boolean,
): readonly SuiteEntry[] => (wereNamed || ran.length === 0 ? [...ran, ...unable] : ran);

/** A suite's verdict: the worst of its entries; incomplete without any. */
export const suiteVerdict = (entries: readonly SuiteEntry[]): Verdict =>
  entries.length === 0 ? 'incomplete' : worstVerdict(entries.map(({ verdict }) => verdict));

const counts = (entries: readonly SuiteEntry[]): string =>
  Object.entries(Object.groupBy(entries, ({ verdict }) => verdict))
    .map(([verdict, some]) => `${some.length} ${verdictWords[verdict as Verdict]}`)
    .join(', ');

/** The suite as a table for a terminal, its outcome in the last line. */
export const suiteTerminal = (entries: readonly SuiteEntry[], colours: 0 | 1): string => {
  const chalk = new Chalk({ level: colours });
  const rows = entries.map(({ scenario, machine, verdict, seconds, reason = '' }) => [
    chalk[verdictColours[verdict]](verdictWords[verdict]),
    scenario,
    machine,
    formatValue(seconds, 's'),
    plain(reason.split('\n')[0] ?? ''),
  ]);
  return `${columns(rows).join('\n')}\n\n${counts(entries)}\n`;
};

const markdown = (entries: readonly SuiteEntry[]): string =>
  [
    `# ${counts(entries)}`,
    '',
    '| scenario | machine | outcome | time | why | report |',
    '|---|---|---|---|---|---|',
    ...entries.map(
      ({ scenario, machine, verdict, seconds, reason = '', report }) =>
        `| ${cell(scenario)} | ${cell(machine)} | ${verdictWords[verdict]} | ${formatValue(seconds, 's')} | ${cell(reason)} | ${report === undefined ? '' : `[report](../${report}/report.html)`} |`,
    ),
    '',
  ].join('\n');

/** Why an entry did not pass, as far as its results say it. */
export const entryReason = (results: Results): { readonly reason?: string } => {
  const reason = reasonOf(results);
  return reason === undefined ? {} : { reason };
};

/** The results of a run, and what the suite itself has to say about it beside them. */
const suitesOf = ({ scenario, machine, verdict, seconds, reason, results }: SuiteEntry): readonly string[] => [
  ...(results ? [junitSuite(results)] : []),
  ...(results?.verdict === verdict
    ? []
    : [outcomeSuite(`${scenario} on ${machine} in the suite`, verdict, seconds, reason ?? '')]),
];

/** Writes a suite's report: `report.html`, `summary.md`, `junit.xml` with one suite a scenario, and `suite.json`. */
export const writeSuite = async (folder: string, entries: readonly SuiteEntry[]): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const listed = entries.map(({ results: _, ...entry }) => entry);
  await writeFile(join(folder, 'report.html'), suitePage(entries, suiteVerdict(entries), counts(entries)));
  await writeFile(join(folder, 'summary.md'), markdown(entries));
  await writeFile(join(folder, 'junit.xml'), junitDocument(entries.flatMap(suitesOf)));
  await writeFile(
    join(folder, 'suite.json'),
    `${JSON.stringify({ version: 1, verdict: suiteVerdict(entries), entries: listed }, undefined, 2)}\n`,
  );
};
