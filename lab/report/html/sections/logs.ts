import type { Results } from '../../model/results.ts';
import { html, type Markup } from '../markup.ts';
import type { LogText, Section } from '../section.ts';

const content = (_: Results, logs: readonly LogText[]): Markup | undefined =>
  logs.length > 0
    ? html`<div class="logs">${logs.map(({ name, text }) => html`<details><summary>${name}</summary><pre tabindex="0">${text}</pre></details>`)}</div>`
    : undefined;

/** The ends of the logs, folded. */
export const logs: Section = { id: 'logs', title: 'Logs', content };
