import { verdictSigns, verdictWords } from '../../formats/verdict.ts';
import { expectationLine, formatValue } from '../../formats/wording.ts';
import type { Results, Step, Timing } from '../../model/results.ts';
import { placeOf } from '../../model/text.ts';
import { html, type Markup } from '../markup.ts';
import type { Section } from '../section.ts';

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

const timeline = (results: Results): Markup | undefined => {
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

/** Steps with what was not met, each with a bar for when it ran and how long it took. */
export const steps: Section = { id: 'steps', title: 'Steps', content: timeline };
