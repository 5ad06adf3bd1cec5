import { plain } from './wording.ts';

/** Text for a cell of a Markdown table: whatever it holds is shown, and ends neither the cell nor the table. */
export const cell = (text: string): string =>
  plain(text)
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replace(/[<>`*_[\]]/g, (character) => `\\${character}`)
    .replace(/\s+/g, ' ');

/** A Markdown table; nothing without rows. Cells of `rows` are texts, those of `head` Markdown. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] =>
  rows.length === 0
    ? []
    : [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(' | ')} |`);

/** Text as it is, below a fence that it cannot close: longer than its longest run of backticks. */
export const fenced = (raw: string): readonly string[] => {
  const text = plain(raw);
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return [fence, text.replace(/\n$/, ''), fence];
};
