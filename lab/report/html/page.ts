import { verdictSigns, verdictWords } from '../formats/verdict.ts';
import type { Verdict } from '../model/results.ts';
import { html, type Markup, type Part } from './markup.ts';
import { style } from './style.ts';

/** The outcome as the first thing to see; `said` stands below it. */
export const verdictBox = (verdict: Verdict, said: Part): Markup =>
  html`<div class="verdict ${verdict}"><strong>${verdictSigns[verdict]} ${verdictWords[verdict]}</strong>
${said}</div>`;

/**
 * A whole page as one file that needs no network and no script, for light and dark screens, narrow and wide, keyboard
 * and paper.
 */
export const page = (parts: {
  readonly title: string;
  readonly verdict: Verdict;
  /** What stands under the title: what it is about, the outcome, warnings. */
  readonly head: Part;
  /** Where its parts begin, by their ids. */
  readonly contents: readonly { readonly id: string; readonly title: string }[];
  readonly body: Part;
}): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${parts.title}: ${verdictWords[parts.verdict]}</title>
${style}
</head>
<body>
<header>
<h1>${parts.title}</h1>
${parts.head}
<nav aria-label="Parts of this report"><ul>${parts.contents.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<main>
${parts.body}</main>
</body>
</html>
`.text;
