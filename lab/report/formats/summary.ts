import type { Fidelity, Results } from '../model/results.ts';
import type { SuiteEntry } from '../model/suite.ts';
import { placeOf } from '../model/text.ts';
import { cell, fenced, table } from './markdown.ts';
import { countTable, figureTable, latencyTable, type Table } from './tables.ts';
import { verdictWords } from './verdict.ts';
import {
  answerLine,
  conditionsOf,
  formatValue,
  loadFigureTable,
  machineOf,
  reasonOf,
  suiteCounts,
  titleOf,
  warningOf,
} from './wording.ts';

const drawn = ({ head, rows }: Table): readonly string[] => table(head, rows);

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`## ${title}`, '', ...lines, ''];

const stepRows = ({ steps }: Results): readonly (readonly string[])[] =>
  steps.flatMap(({ name, place, board, verdict, expectations }) => [
    [name, placeOf({ place, board }), verdictWords[verdict], '', ''],
    ...expectations
      .filter((one) => one.verdict !== 'passed')
      .map((one) => [
        `↳ ${one.name}`,
        placeOf({ place, board }),
        verdictWords[one.verdict],
        one.expected ?? '',
        one.actual ?? '',
      ]),
  ]);

/** What the board was like, before and after; of several each. */
const conditionRows = ({ run }: Results): readonly (readonly string[])[] =>
  conditionsOf(run).map(({ name, before = '', after = '' }) => [name, before, after]);

/** Where each of several boards was, and the namespaces on it. */
const boardRows = ({ run }: Results): readonly (readonly string[])[] =>
  (run.boards ?? []).map(({ name, address, topology }) => [
    name,
    address,
    topology?.gateway ?? '',
    (topology?.instances ?? []).map((one) => `${one.task} ${one.address}`).join(', '),
  ]);

const failureLines = ({ run: { failure } }: Results): readonly string[] => {
  if (!failure) return [];
  const { log, packets, next } = failure;
  const end = log ? [`The end of ${cell(log.name)}:`, '', ...fenced(log.lines.join('\n')), ''] : [];
  const links = packets
    ? [`The last packets of ${cell(packets.file)}:`, '', ...fenced(packets.lines.join('\n')), '']
    : [];
  return [...end, ...links, ...(next.length > 0 ? ['To look further:', '', ...fenced(next.join('\n'))] : [])];
};

/** What a reader must know of the latencies before any of them is read. */
const latencyTitles: Readonly<Partial<Record<Fidelity, string>>> = {
  emulated: 'Latency (emulated, not performance)',
  counted: 'Latency (counted, not performance)',
  virtualized: 'Latency (virtualized)',
};

/** `summary.md`: the outcome first, then steps, load counts and figures, and what the run was made of. */
export const summary = (results: Results): string => {
  const { run, machine, inputs } = results;
  const reason = reasonOf(results);
  const warning = warningOf(results);
  return [
    `# ${cell(titleOf(results))}: ${verdictWords[results.verdict]}`,
    '',
    ...(reason === undefined ? [] : [cell(reason), '']),
    ...(warning === undefined ? [] : [`> **${machine.fidelity.toUpperCase()}.** ${warning}`, '']),
    `${cell(results.scenario.description)}`,
    '',
    ...section('Failure', failureLines(results)),
    ...section('Steps', table(['step', 'where', 'outcome', 'expected', 'actual'], stepRows(results))),
    ...section('Load', drawn(countTable(results))),
    ...section('Rates and CPU time', drawn(loadFigureTable(results))),
    ...section(latencyTitles[machine.fidelity] ?? 'Latency', drawn(latencyTable(results))),
    ...section('Figures', drawn(figureTable(results))),
    ...section(
      'First answer',
      run.firstAnswer ? [`${cell(answerLine(run.firstAnswer))}:`, '', ...fenced(run.firstAnswer.body)] : [],
    ),
    ...section(
      'Notes',
      run.notes.map((note) => `- ${cell(note)}`),
    ),
    ...section('Boards', table(['board', 'address', 'gateway of its instances', 'instances'], boardRows(results))),
    ...section('Board', table(['', 'before', 'after'], conditionRows(results))),
    ...section(
      'Inputs',
      table(
        ['input', 'version', 'SHA-256', ''],
        inputs.map(({ name, version = '', sha256 = '', detail = '' }) => [name, version, sha256, detail]),
      ),
    ),
    `Machine ${cell(machineOf(results))} (${cell(machine.accelerator)}, ${machine.fidelity}), ` +
      `commit ${run.revision.commit}${run.revision.dirty ? ' with uncommitted changes' : ''}, ` +
      `${run.started}, ${formatValue(run.seconds, 's')}.`,
    '',
  ].join('\n');
};

/** `summary.md` of a suite. */
export const suiteSummary = (entries: readonly SuiteEntry[]): string =>
  [
    `# ${suiteCounts(entries)}`,
    '',
    '| scenario | machine | outcome | time | why | report |',
    '|---|---|---|---|---|---|',
    ...entries.map(
      ({ scenario, machine, verdict, seconds, reason = '', report }) =>
        `| ${cell(scenario)} | ${cell(machine)} | ${verdictWords[verdict]} | ${formatValue(seconds, 's')} | ${cell(reason)} | ${report === undefined ? '' : `[report](../${report}/report.html)`} |`,
    ),
    '',
  ].join('\n');
