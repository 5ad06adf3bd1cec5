import { verdictWords } from '../formats/verdict.ts';
import { formatValue, plain } from '../formats/wording.ts';
import { worstVerdict } from '../model/replicates.ts';
import type { Verdict } from '../model/results.ts';
import { type Revision, regressionOf, type Trend, type TrendFigure, type TrendPoint } from '../trend/trend.ts';
import { type Axis, chart, type Line, linearAxis, spanAxis } from './chart.ts';
import { html, type Markup } from './markup.ts';
import { page, verdictBox } from './page.ts';
import { table } from './table.ts';

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });

const shortCommit = (revision: Revision | undefined): string =>
  revision === undefined ? '' : `${revision.commit.slice(0, 7)}${revision.isDirty ? '+' : ''}`;

/** So many commits have their names on an axis that a narrow screen can show. */
const mostTicks = 5;

/** Commits side by side, each as wide as the others. */
const commitAxis = (revisions: readonly Revision[]): Axis => {
  const count = revisions.length;
  const ticks = Math.min(mostTicks, count);
  const shown = new Set(
    Array.from({ length: ticks }, (_, i) => (ticks === 1 ? 0 : Math.round((i * (count - 1)) / (ticks - 1)))),
  );
  return {
    title: 'commit',
    place: (value) => (value + 0.5) / count,
    ticks: revisions.flatMap((revision, value) => (shown.has(value) ? [{ value, text: shortCommit(revision) }] : [])),
  };
};

const nameOf = ({ metric: { name, dimensions } }: TrendFigure): string =>
  plain([name, ...Object.values(dimensions)].join(' '));

const pointText = (revision: Revision | undefined, { value, low, high, samples }: TrendPoint): string => {
  const range = samples === 1 ? '' : ` (${samples} seeds, ${formatValue(low, '1')} to ${formatValue(high, '1')})`;
  return `${shortCommit(revision)}: ${formatValue(value, 'instructions')}${range}`;
};

/** The points between two changes of inputs as lines of their own: what is beyond such a change does not compare. */
const segmentsOf = ({ points }: TrendFigure, revisions: readonly Revision[]): readonly Line[] => {
  const starts = [0, ...revisions.flatMap(({ changed }, at) => (changed.length > 0 ? [at] : []))];
  return starts.flatMap((from, i): readonly Line[] => {
    const its = points.filter(({ at }) => at >= from && at < (starts[i + 1] ?? revisions.length));
    const since = i === 0 ? '' : `, other inputs from ${shortCommit(revisions[from])}`;
    return its.length === 0
      ? []
      : [
          {
            name: `measured${since}`,
            points: its.map(({ at, value }) => [at, value]),
            marks: its.map((point) => ({ at: [point.at, point.value], text: pointText(revisions[point.at], point) })),
          },
        ];
  });
};

const half = 0.5;

/** What the baseline allows: a step for each commit, as it allows less of a run with more seeds. */
const limitOf = ({ points }: TrendFigure): readonly Line[] => {
  const steps = points.flatMap(({ at, limit }) =>
    limit === undefined ? [] : [[at - half, limit] as const, [at + half, limit] as const],
  );
  return steps.length === 0 ? [] : [{ name: 'a regression above this', points: steps, marks: [] }];
};

const figureChart = (figure: TrendFigure, trend: Trend): Markup => {
  const [first, ...others] = segmentsOf(figure, trend.revisions);
  const lines = [...(first ? [first] : []), ...limitOf(figure), ...others];
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const name = nameOf(figure);
  const y = spanAxis(`${name}, instructions`, Math.min(...values), Math.max(...values), (value) =>
    compact.format(value),
  );
  const label = `${name} of ${trend.title} by commit`;
  return chart(label, commitAxis(trend.revisions), y, lines);
};

const isJudged = ({ points }: TrendFigure): boolean => points.some(({ limit }) => limit !== undefined);

const faultChart = ({ title, revisions, faults }: Trend): Markup => {
  const runs = revisions.reduce((sum, revision) => sum + revision.runs.length, 0);
  const most = Math.max(...faults.flatMap(({ counts }) => counts));
  if (most === 0) return html`<p>In ${runs} runs every expectation was met, and no request failed.</p>`;
  const y = linearAxis('What must not happen', most, (value) => formatValue(value, '1'));
  const lines = faults.map(({ name, counts }): Line => {
    const points = counts.map((count, at) => [at, count] as const);
    return {
      name,
      points,
      marks: points.map((at) => ({ at, text: `${at[1]} at ${shortCommit(revisions[at[0]])}` })),
    };
  });
  return chart(`Failures of ${title} by commit`, commitAxis(revisions), y, lines);
};

const runTable = ({ revisions }: Trend): Markup | undefined =>
  table(
    'Runs',
    ['commit', 'started', 'outcome', 'seeds', 'inputs that changed', 'report'],
    revisions
      .toReversed()
      .flatMap((revision) =>
        revision.runs
          .toReversed()
          .map(({ folder, results: { verdict, options, run } }) => [
            html`<code>${shortCommit(revision)}</code>`,
            run.started.slice(0, 16).replace('T', ' '),
            verdictWords[verdict],
            String(options['seeds'] ?? 1),
            revision.changed.map(({ name, was, is }) => html`<div>${name}: ${was} → ${is}</div>`),
            html`<a href="${folder.split('/').map(encodeURIComponent).join('/')}/report.html">${run.id}</a>`,
          ]),
      ),
  );

const section = (trend: Trend, id: string): Markup => {
  const [judged, others] = [trend.figures.filter(isJudged), trend.figures.filter((figure) => !isJudged(figure))];
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${trend.title}</h2>
${judged.map((figure) => figureChart(figure, trend))}
${faultChart(trend)}
${
  others.length === 0
    ? undefined
    : html`<details${judged.length === 0 ? ' open' : ''}><summary>Figures without a threshold</summary>
${others.map((figure) => figureChart(figure, trend))}</details>`
}
<details><summary>Runs</summary>${runTable(trend)}</details></section>
`;
};

/** What the newest commit of a trend came to. */
const verdictOf = (trend: Trend): Verdict =>
  worstVerdict([
    ...(trend.revisions.at(-1)?.runs.slice(-1) ?? []).map(({ results }) => results.verdict),
    ...trend.figures.map((figure): Verdict => (regressionOf(figure, trend) === undefined ? 'passed' : 'failed')),
  ]);

const regressionLine = (trend: Trend, figure: TrendFigure): readonly Markup[] => {
  const found = regressionOf(figure, trend);
  if (found?.limit === undefined) return [];
  const [value, limit] = [found.value, found.limit].map((one) => formatValue(one, 'instructions'));
  return [html`<p>${trend.title}: ${nameOf(figure)} is ${value}, a regression above ${limit}.</p>`];
};

/**
 * `trend.html`: what past runs came to, commit by commit. `troubles` says which reports could not be read. The folders of
 * the runs are relative to that of the page.
 */
export const trendPage = (trends: readonly Trend[], troubles: readonly string[]): string => {
  const runs = trends.flatMap(({ revisions }) => revisions.flatMap((revision) => revision.runs)).length;
  const said = trends.flatMap((trend) => trend.figures.flatMap((figure) => regressionLine(trend, figure)));
  return page({
    title: `Trend over ${runs} runs`,
    verdict: worstVerdict(trends.map(verdictOf)),
    head: [
      verdictBox(worstVerdict(trends.map(verdictOf)), [said, html`<small>the newest commit of each row</small>`]),
      html`<p>Instructions are those of an emulated board: reproducible, and no performance. A plus behind a commit says
that its checkout had changes.</p>`,
      troubles.length === 0
        ? undefined
        : html`<div class="warning">${troubles.map((text) => html`<p>${text}</p>`)}</div>`,
    ],
    contents: trends.map(({ title }, i) => ({ id: `trend-${i}`, title })),
    body: trends.map((trend, i) => section(trend, `trend-${i}`)),
  });
};
