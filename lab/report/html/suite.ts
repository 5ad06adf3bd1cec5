import { verdictSigns } from '../formats/verdict.ts';
import { formatValue, suiteCounts, titleOf, warningOf } from '../formats/wording.ts';
import { type SuiteEntry, suiteVerdict } from '../model/suite.ts';
import { html, type Markup } from './markup.ts';
import { page, verdictBox } from './page.ts';
import { sectionsOf } from './section-list.ts';
import { table } from './table.ts';

/** Parts of a run that stand open; the others are a click away. */
const open = new Set(['failure', 'load', 'figures', 'notes']);

const titleOfEntry = ({ scenario, machine, results }: SuiteEntry): string =>
  results ? titleOf(results) : `${scenario} on ${machine}`;

const own = ({ report }: SuiteEntry): Markup | undefined =>
  report === undefined ? undefined : html`<a href="../${report}/report.html">its own report</a>`;

const overview = (entries: readonly SuiteEntry[]): Markup | undefined =>
  table(
    'Overview',
    ['', 'scenario', 'machine', 'time', 'why'],
    entries.map(({ verdict, scenario, machine, seconds, reason }, i) => [
      html`<span class="sign ${verdict}" role="img" aria-label="${verdict}">${verdictSigns[verdict]}</span>`,
      html`<a href="#run-${i}">${scenario}</a>`,
      machine,
      formatValue(seconds, 's'),
      reason && html`<span class="why">${reason}</span>`,
    ]),
  );

const runOf = (entry: SuiteEntry, i: number): Markup => {
  const { verdict, seconds, reason, results } = entry;
  const warning = results && warningOf(results);
  return html`<section aria-labelledby="run-${i}"><h2 id="run-${i}">${titleOfEntry(entry)}</h2>
${results && html`<p>${results.scenario.description}</p>`}
${verdictBox(verdict, [reason, ' ', html`<small>${formatValue(seconds, 's')} ${own(entry)}</small>`])}
${warning && html`<p class="warning">${warning}</p>`}
${
  results &&
  sectionsOf(results, []).map(
    ({
      id,
      title,
      content,
    }) => html`<details${open.has(id) ? ' open' : ''}><summary>${title}</summary>${content}</details>
`,
  )
}</section>
`;
};

/** `report.html` of a suite: what came of every scenario, and below it the runs themselves. */
export const suitePage = (entries: readonly SuiteEntry[]): string => {
  const verdict = suiteVerdict(entries);
  return page({
    title: `Suite of ${entries.length} runs`,
    verdict,
    head: [verdictBox(verdict, suiteCounts(entries)), overview(entries)],
    contents: [],
    body: entries.map(runOf),
  });
};
