import { Chalk } from 'chalk';
import { loadCounts } from '../model/load-record.ts';
import { metricsOf } from '../model/metrics.ts';
import type { Results } from '../model/results.ts';
import type { SuiteEntry } from '../model/suite.ts';
import { placeOf } from '../model/text.ts';
import { columns } from './columns.ts';
import { verdictColours, verdictSigns, verdictWords } from './verdict.ts';
import {
  expectationLine,
  formatMetric,
  formatValue,
  inOrder,
  loadFigureTable,
  metricsByLoad,
  otherFigures,
  plain,
  reasonOf,
  suiteCounts,
  titleOf,
  warningOf,
} from './wording.ts';

export type TerminalOptions = {
  /** Colours as chalk counts them: 0 for none. */
  readonly colours: 0 | 1 | 2 | 3;
  /** Where the report lies, shown before the verdict. */
  readonly folder?: string;
};

/** The report for a terminal: steps with their times, load, first answer, failure, and the verdict as the last line. */
export const terminal = (results: Results, { colours, folder }: TerminalOptions): string => {
  const chalk = new Chalk({ level: colours });
  const { run } = results;
  const took = (name: string) => {
    const ms = run.timings.find((timing) => timing.name === name)?.ms;
    return ms === undefined ? '' : formatValue(ms, 'ms');
  };
  const heads = columns(
    results.steps.map(({ name, place, board, verdict }) => [
      chalk[verdictColours[verdict]](verdictSigns[verdict]),
      plain(name),
      chalk.dim(placeOf({ place, board })),
      chalk.dim(took(name)),
    ]),
  );
  const steps = results.steps.flatMap(({ expectations }, i) => [
    heads[i] ?? '',
    ...expectations
      .filter((one) => one.verdict !== 'passed')
      .map((one) => `   ${chalk[verdictColours[one.verdict]](plain(expectationLine(one)))}`),
  ]);
  const loads = columns(
    [...metricsByLoad(metricsOf(results))].map(([load, metrics]) => [
      plain(load),
      ...Object.entries(loadCounts).map(([count, words]) => {
        const metric = metrics.find(({ name }) => name === `load.${count}`);
        return metric ? `${words} ${formatMetric(metric)}` : '';
      }),
    ]),
  );
  const latencies = columns(
    inOrder(run.latencies).map(({ name, percentiles }) => [
      plain(name),
      ...Object.entries(percentiles).map(([mark, us]) => `${mark} ${formatValue(us, 'us')}`),
    ]),
  );
  const { head, rows } = loadFigureTable(results, ['load.rate', 'load.cpu', 'load.cpu.ratio']);
  const rates = columns(
    rows.length === 0 ? [] : [head.map((text) => chalk.dim(text)), ...rows.map((row) => row.map(plain))],
  );
  const figures = columns(
    otherFigures(results).map((metric) => [
      plain([metric.name, ...Object.values(metric.dimensions)].join(' ')),
      chalk.dim(metric.where),
      formatMetric(metric),
    ]),
  );
  const warning = warningOf(results);
  const { failure } = run;
  const verdict = chalk[verdictColours[results.verdict]].bold(verdictWords[results.verdict]);
  const reason = reasonOf(results);
  const blocks: readonly (readonly string[])[] = [
    [chalk.bold(plain(titleOf(results)))],
    steps,
    loads,
    rates,
    latencies,
    figures,
    warning === undefined ? [] : [chalk.yellow(warning)],
    run.notes.map((note) => chalk.yellow(plain(note))),
    failure?.log
      ? [chalk.dim(`the end of ${plain(failure.log.name)}:`), ...failure.log.lines.map((line) => `  ${plain(line)}`)]
      : [],
    failure?.packets
      ? [
          chalk.dim(`the last packets of ${plain(failure.packets.file)}:`),
          ...failure.packets.lines.map((line) => `  ${plain(line)}`),
        ]
      : [],
    failure && failure.next.length > 0 ? ['to look further:', ...failure.next.map((line) => `  ${plain(line)}`)] : [],
    [
      ...(folder === undefined ? [] : [`report: ${folder}`]),
      `${verdict} in ${formatValue(run.seconds, 's')}${reason === undefined ? '' : `: ${plain(reason)}`}`,
    ],
  ];
  return `${blocks
    .filter((block) => block.length > 0)
    .map((block) => block.join('\n'))
    .join('\n\n')}\n`;
};

/** A suite as a table for a terminal, its outcome in the last line. */
export const suiteTerminal = (entries: readonly SuiteEntry[], colours: 0 | 1): string => {
  const chalk = new Chalk({ level: colours });
  const rows = entries.map(({ scenario, machine, verdict, seconds, reason = '' }) => [
    chalk[verdictColours[verdict]](verdictWords[verdict]),
    scenario,
    machine,
    formatValue(seconds, 's'),
    plain(reason.split('\n')[0] ?? ''),
  ]);
  return `${columns(rows).join('\n')}\n\n${suiteCounts(entries)}\n`;
};
