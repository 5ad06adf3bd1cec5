import type { Results } from '../model/results.ts';
import { latencyChart, throughputChart } from './charts.ts';
import { html, type Markup, type Part } from './markup.ts';
import {
  conditionTable,
  figureTable,
  firstAnswer,
  latencyTable,
  loadTable,
  provenance,
  rateTable,
  timeline,
} from './sections.ts';
import { topologyDiagram } from './topology.ts';

/** A log that is folded into the report, by its name. */
export type LogText = { readonly name: string; readonly text: string };

/** A part of a run's report; there is none without content. */
export type Section = { readonly id: string; readonly title: string; readonly content: Part };

const failureOf = ({ run: { failure } }: Results): Part =>
  failure && [
    failure.log && html`<p>The end of ${failure.log.name}:</p><pre tabindex="0">${failure.log.lines.join('\n')}</pre>`,
    failure.packets &&
      html`<p>The last packets on the board's links, of all in <code>${failure.packets.file}</code> beside this page:</p><pre tabindex="0">${failure.packets.lines.join('\n')}</pre>`,
    failure.next.length > 0
      ? html`<p>To look further:</p><pre tabindex="0">${failure.next.join('\n')}</pre>`
      : undefined,
  ];

const notesOf = ({ run: { notes } }: Results): Markup | undefined =>
  notes.length > 0 ? html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>` : undefined;

const logsOf = (logs: readonly LogText[]): Markup | undefined =>
  logs.length > 0
    ? html`<div class="logs">${logs.map(({ name, text }) => html`<details><summary>${name}</summary><pre tabindex="0">${text}</pre></details>`)}</div>`
    : undefined;

/** Everything that a report says about a run, in the order in which a person asks. */
export const sectionsOf = (results: Results, logs: readonly LogText[]): readonly Section[] => {
  const load = [
    loadTable(results),
    rateTable(results),
    latencyTable(results),
    latencyChart(results),
    throughputChart(results),
  ];
  const sections: readonly Section[] = [
    { id: 'failure', title: 'Failure', content: failureOf(results) },
    { id: 'steps', title: 'Steps', content: timeline(results) },
    { id: 'network', title: 'Network', content: topologyDiagram(results) },
    { id: 'load', title: 'Load', content: load.some((part) => part !== undefined) ? load : undefined },
    { id: 'figures', title: 'Figures', content: figureTable(results) },
    { id: 'answer', title: 'First answer', content: firstAnswer(results) },
    { id: 'notes', title: 'Notes', content: notesOf(results) },
    { id: 'board', title: 'The board', content: conditionTable(results) },
    { id: 'made-of', title: 'Inputs', content: provenance(results) },
    { id: 'logs', title: 'Logs', content: logsOf(logs) },
  ];
  return sections.filter(({ content }) => content !== undefined);
};
