import { latencyChart, throughputChart } from './html/charts.ts';
import { html, type Markup, type Part } from './html/markup.ts';
import {
  figureTable,
  firstAnswer,
  latencyTable,
  loadTable,
  provenance,
  timeline,
  verdictSigns,
} from './html/sections.ts';
import { style } from './html/style.ts';
import { topologyPicture } from './html/topology.ts';
import type { Results } from './results.ts';
import { formatValue, reasonOf, titleOf, verdictWords, warningOf } from './story.ts';

/** A log that is folded into the report, by its name. */
export type LogText = { readonly name: string; readonly text: string };

type Section = { readonly id: string; readonly title: string; readonly content: Part };

const failureOf = ({ run: { failure } }: Results): Part =>
  failure && [
    failure.log && html`<p>The end of ${failure.log.name}:</p><pre tabindex="0">${failure.log.lines.join('\n')}</pre>`,
    failure.packets &&
      html`<p>The last packets on the board's links, of all in <code>${failure.packets.file}</code> beside this page:</p><pre tabindex="0">${failure.packets.lines.join('\n')}</pre>`,
    failure.next.length > 0
      ? html`<p>To look further:</p><pre tabindex="0">${failure.next.join('\n')}</pre>`
      : undefined,
  ];

const sectionsOf = (results: Results, logs: readonly LogText[]): readonly Section[] => {
  const { run } = results;
  const load = [loadTable(results), latencyTable(results), latencyChart(results), throughputChart(results)];
  const sections: readonly Section[] = [
    { id: 'failure', title: 'Failure', content: failureOf(results) },
    { id: 'steps', title: 'Steps', content: timeline(results) },
    { id: 'network', title: 'Network', content: topologyPicture(results) },
    { id: 'load', title: 'Load', content: load.some((part) => part !== undefined) ? load : undefined },
    { id: 'figures', title: 'Figures', content: figureTable(results) },
    { id: 'answer', title: 'First answer', content: firstAnswer(results) },
    {
      id: 'notes',
      title: 'Notes',
      content: run.notes.length > 0 ? html`<ul>${run.notes.map((note) => html`<li>${note}</li>`)}</ul>` : undefined,
    },
    { id: 'made-of', title: 'Made of', content: provenance(results) },
    {
      id: 'logs',
      title: 'Logs',
      content:
        logs.length > 0
          ? html`<div class="logs">${logs.map(({ name, text }) => html`<details><summary>${name}</summary><pre tabindex="0">${text}</pre></details>`)}</div>`
          : undefined,
    },
  ];
  return sections.filter(({ content }) => content !== undefined);
};

const document = (results: Results, logs: readonly LogText[]): Markup => {
  const { verdict, scenario, run } = results;
  const warning = warningOf(results);
  const sections = sectionsOf(results, logs);
  const title = titleOf(results);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${title}: ${verdictWords[verdict]}</title>
${style}
</head>
<body>
<header>
<h1>${title}</h1>
<p>${scenario.about}</p>
<div class="verdict ${verdict}"><strong>${verdictSigns[verdict]} ${verdictWords[verdict]}</strong>
${reasonOf(results)} <small>${formatValue(run.seconds, 's')}, ${run.started}</small></div>
${warning === undefined ? undefined : html`<p class="warning">${warning}</p>`}
<nav aria-label="Parts of this report"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<main>
${sections.map(
  ({ id, title, content }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>
`,
)}</main>
</body>
</html>
`;
};

/**
 * `report.html`: the whole report as one file that needs no network and no script, for light and dark screens, narrow
 * and wide, keyboard and paper.
 */
export const htmlReport = (results: Results, logs: readonly LogText[]): string => document(results, logs).text;
