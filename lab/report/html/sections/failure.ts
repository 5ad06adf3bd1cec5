import type { Results } from '../../model/results.ts';
import { html, type Part } from '../markup.ts';
import type { Section } from '../section.ts';

const content = ({ run: { failure } }: Results): Part =>
  failure && [
    failure.log && html`<p>The end of ${failure.log.name}:</p><pre tabindex="0">${failure.log.lines.join('\n')}</pre>`,
    failure.packets &&
      html`<p>The last packets on the board's links, of all in <code>${failure.packets.file}</code> beside this page:</p><pre tabindex="0">${failure.packets.lines.join('\n')}</pre>`,
    failure.next.length > 0
      ? html`<p>To look further:</p><pre tabindex="0">${failure.next.join('\n')}</pre>`
      : undefined,
  ];

/** What failed, and where to look further. */
export const failure: Section = { id: 'failure', title: 'Failure', content };
