import { verdictSigns, verdictWords } from '../formats/verdict.ts';
import {
  answerLine,
  conditionsOf,
  expectationLine,
  formatMetric,
  formatValue,
  inOrder,
  loadFigureTable,
  machineOf,
  metricsByLoad,
  otherFigures,
} from '../formats/wording.ts';
import { loadCounts } from '../model/load-record.ts';
import { metricsOf } from '../model/metrics.ts';
import type { Results, Run, Step, Timing } from '../model/results.ts';
import { placeOf } from '../model/text.ts';
import { html, type Markup, type Part } from './markup.ts';

/** A table that scrolls by itself, by keyboard too, when it is wider than the page; undefined without rows. */
export const table = (
  label: string,
  head: readonly string[],
  rows: readonly (readonly Part[])[],
): Markup | undefined =>
  rows.length === 0
    ? undefined
    : html`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table>
<thead><tr>${head.map((text) => html`<th scope="col">${text}</th>`)}</tr></thead>
<tbody>${rows.map(
        (row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>
`,
      )}</tbody></table></div>`;

type Row = { readonly name: string; readonly step?: Step; readonly timing: Timing | undefined };

/** Steps, and what else was timed, by when they began. */
const rowsOf = ({ steps, run }: Results): readonly Row[] => {
  const asides = run.timings.filter((timing) => !steps.some(({ name }) => name === timing.name));
  const rows: readonly Row[] = [
    ...asides.map((timing) => ({ name: timing.name, timing })),
    ...steps.map((step) => ({ name: step.name, step, timing: run.timings.find(({ name }) => name === step.name) })),
  ];
  const start = ({ timing }: Row) => timing?.startMs ?? run.seconds * 1000;
  return rows.toSorted((a, b) => start(a) - start(b));
};

const stepHead = ({ name, place, board, verdict }: Step): Markup =>
  html`<span class="sign" role="img" aria-label="${verdictWords[verdict]}">${verdictSigns[verdict]}</span> ${name} <small>${placeOf({ place, board })}</small>`;

const unmet = ({ expectations }: Step): Markup | undefined => {
  const lines = expectations.filter(({ verdict }) => verdict !== 'passed').map(expectationLine);
  return lines.length === 0 ? undefined : html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
};

/** Steps with what was not met, each with a bar for when it ran and how long it took. */
export const timeline = (results: Results): Markup | undefined => {
  const rows = rowsOf(results);
  if (rows.length === 0) return undefined;
  const end = Math.max(1, ...results.run.timings.map(({ startMs, ms }) => startMs + ms));
  const share = (ms: number) => `${((100 * ms) / end).toFixed(2)}%`;
  return html`<ol class="timeline">${rows.map(
    ({ name, step, timing }) => html`<li class="${step?.verdict ?? 'aside'}">
<span>${step ? stepHead(step) : name}</span>
<span class="track">${timing && html`<span class="bar" style="left:${share(timing.startMs)};width:${share(timing.ms)}"></span>`}</span>
<span class="took">${timing && formatValue(timing.ms, 'ms')}</span>
${step && unmet(step)}
</li>`,
  )}</ol>`;
};

export const loadTable = (results: Results): Markup | undefined =>
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

export const latencyTable = ({ run }: Results): Markup | undefined => {
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
export const rateTable = (results: Results): Markup | undefined => {
  const { head, rows } = loadFigureTable(results);
  const rates = table('Rates and CPU time', head, rows);
  const several = metricsOf(results).some(({ kind, samples }) => kind === 'performance' && samples.length > 1);
  return rates && several
    ? html`${rates}<p><small>Medians; in brackets their 95 % interval and the number of samples.</small></p>`
    : rates;
};

/** What the board was like before and after the run. */
export const conditionTable = ({ run }: Results): Markup | undefined =>
  table(
    'The board',
    ['', 'before', 'after'],
    conditionsOf(run).map(({ name, before, after }) => [name, before, after]),
  );

/** Every figure that belongs to no load. */
export const figureTable = (results: Results): Markup | undefined =>
  table(
    'Figures',
    ['figure', 'dimensions', 'where', 'kind', 'value'],
    otherFigures(results).map((metric) => [
      metric.name,
      Object.values(metric.dimensions).join(', '),
      metric.where,
      metric.kind,
      formatMetric(metric),
    ]),
  );

export const firstAnswer = ({ run }: Results): Markup | undefined =>
  run.firstAnswer &&
  html`<p>${answerLine(run.firstAnswer)}</p>
<pre tabindex="0">${Object.entries(run.firstAnswer.headers).map(([name, value]) => `${name}: ${value}\n`)}
${run.firstAnswer.body}</pre>`;

/** The emulator of the board, or of each of several. */
const emulatorsOf = ({ emulator, boards = [] }: Run) => [
  ...(emulator ? [{ of: '', emulator }] : []),
  ...boards.flatMap((board) => (board.emulator ? [{ of: ` of ${board.name}`, emulator: board.emulator }] : [])),
];

/** Everything that it takes to make the same run again. */
export const provenance = ({ inputs, machine, options, run }: Results): Markup => html`
${table(
  'Inputs',
  ['input', 'version', 'SHA-256', ''],
  inputs.map(({ name, version, sha256, detail }) => [
    name,
    version,
    sha256 && html`<code class="digest">${sha256}</code>`,
    detail,
  ]),
)}
<dl>
<dt>machine</dt><dd>${machineOf({ machine })}, ${machine.architecture}, ${machine.accelerator}, ${machine.fidelity}</dd>
<dt>options</dt><dd>${Object.entries(options).map(([name, value]) => html`<code>${name}=${String(value)}</code> `)}</dd>
<dt>revision</dt><dd><code class="digest">${run.revision.commit}</code>${run.revision.dirty ? ' with uncommitted changes' : ''}</dd>
<dt>host</dt><dd>${run.host.platform}, kernel ${run.host.kernel}, ${run.host.cpus} CPUs, Node ${run.host.node}</dd>
<dt>run</dt><dd>${run.id}, ${run.started}, ${formatValue(run.seconds, 's')}</dd>
${run.unlocked.length === 0 ? undefined : html`<dt>not locked</dt><dd>${run.unlocked.join(', ')}</dd>`}
</dl>
${emulatorsOf(run).map(
  ({ of, emulator }) =>
    html`<details><summary>Arguments of the emulator${of}</summary><pre tabindex="0">${emulator.arguments.join('\n')}</pre></details>`,
)}`;
