import { answerLine } from '../../formats/wording.ts';
import type { Results } from '../../model/results.ts';
import { html, type Part } from '../markup.ts';
import type { Section } from '../section.ts';

const content = ({ run }: Results): Part =>
  run.firstAnswer &&
  html`<p>${answerLine(run.firstAnswer)}</p>
<pre tabindex="0">${Object.entries(run.firstAnswer.headers).map(([name, value]) => `${name}: ${value}\n`)}
${run.firstAnswer.body}</pre>`;

/** The first answer of the service, with its headers. */
export const firstAnswer: Section = { id: 'answer', title: 'First answer', content };
