import fs from 'node:fs/promises';
import path from 'node:path';
import { type JunitSuite, junitDocument, suitesIn } from '../lab/report/formats/junit-xml.ts';

/** One part of a nightly run: a command with a JUnit document of its own. */
export type Part = {
  readonly name: string;
  readonly code: number;
  readonly seconds: number;
  /** What it left, as far as it left anything: JUnit, Markdown, and a page, by path. */
  readonly junit?: string;
  readonly summary?: string;
  readonly page?: string;
};

const escaped = (text: string): string => text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);

const readable = (file: string | undefined): Promise<string> =>
  file === undefined ? Promise.resolve('') : fs.readFile(file, 'utf8').catch(() => '');

/** A part's summary with its headings one level below, and its links as they are from `folder`. */
const summaryOf = async ({ summary }: Part, folder: string): Promise<string> => {
  const link = (target: string): string => path.relative(folder, path.resolve(path.dirname(summary ?? ''), target));
  return (await readable(summary))
    .replace(/^#/gm, '##')
    .replace(/\]\((?!\w+:|#)([^)]+)\)/g, (_, target: string) => `](${link(target)})`);
};

/** A suite that stands for the part itself: a part that ended badly without a report must not look like a pass. */
const ownSuite = ({ name, code, seconds }: Part): JunitSuite => {
  const outcome = code === 0 ? undefined : ({ element: 'error', message: `ended with ${code}` } as const);
  return { name: `nightly: ${name}`, seconds, cases: [{ classname: 'nightly', name, seconds, outcome }] };
};

const outcome = ({ code }: Part): string => (code === 0 ? 'passed' : `ended with ${code}`);

const page = (folder: string, parts: readonly Part[]): string => {
  const rows = parts.map((part) => {
    const links = [part.page, part.summary, part.junit]
      .filter((file) => file !== undefined)
      .map((file) => `<a href="${escaped(path.relative(folder, file))}">${escaped(path.basename(file))}</a>`);
    return `<tr><td>${escaped(part.name)}<td>${escaped(outcome(part))}<td>${part.seconds.toFixed(0)} s<td>${links.join(' ')}`;
  });
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Nightly run</title>
<style>body{font:1rem system-ui;margin:2rem}td,th{padding:.3rem 1rem .3rem 0;text-align:left}</style>
<h1>Nightly run: ${parts.every(({ code }) => code === 0) ? 'passed' : 'failed'}</h1>
<table><tr><th>part<th>outcome<th>took<th>reports
${rows.join('\n')}
</table></html>
`;
};

/** Writes one report over all parts into `folder`: `junit.xml`, `summary.md` and `index.html`. */
export const writeNightly = async (folder: string, parts: readonly Part[]): Promise<void> => {
  await fs.mkdir(folder, { recursive: true });
  const suites = await Promise.all(parts.map(async (part) => [ownSuite(part), suitesIn(await readable(part.junit))]));
  const summaries = await Promise.all(parts.map((part) => summaryOf(part, folder)));
  const table = parts.map((part) => `| ${part.name} | ${outcome(part)} | ${part.seconds.toFixed(0)} s |`);
  await fs.writeFile(path.join(folder, 'junit.xml'), junitDocument(suites.flat()));
  await fs.writeFile(
    path.join(folder, 'summary.md'),
    ['# Nightly run', '', '| part | outcome | took |', '|---|---|---|', ...table, '', ...summaries].join('\n'),
  );
  await fs.writeFile(path.join(folder, 'index.html'), page(folder, parts));
};
