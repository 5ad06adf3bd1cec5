import { formatValue, reasonOf, titleOf, warningOf } from './formats/wording.ts';
import { html } from './html/markup.ts';
import { page, verdictBox } from './html/page.ts';
import type { LogText } from './html/section.ts';
import { sectionsOf } from './html/section-list.ts';
import type { Results } from './model/results.ts';

/** `report.html`: the whole report of a run as one page. */
export const htmlReport = (results: Results, logs: readonly LogText[]): string => {
  const { verdict, scenario, run } = results;
  const warning = warningOf(results);
  const contents = sectionsOf(results, logs);
  const when = html`<small>${formatValue(run.seconds, 's')}, ${run.started}</small>`;
  return page({
    title: titleOf(results),
    verdict,
    head: html`<p>${scenario.description}</p>
${verdictBox(verdict, [reasonOf(results), ' ', when])}
${warning && html`<p class="warning">${warning}</p>`}`,
    contents,
    body: contents.map(
      ({ id, title, content }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${content}</section>
`,
    ),
  });
};
