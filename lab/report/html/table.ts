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
