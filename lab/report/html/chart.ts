import { html, type Markup, type Part } from './markup.ts';

/** One line of a chart; its colour and dashes come from its place in the list. */
export type Line = {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Points that are drawn as dots, with a text to read on them. */
  readonly marks: readonly { readonly at: readonly [x: number, y: number]; readonly text: string }[];
};

/** An axis: maps its values to 0..1 and has ticks with words. */
export type Axis = {
  readonly title: string;
  readonly place: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
};

/** Linear from 0 to a round number at or above `max`. */
export const linearAxis = (title: string, max: number, text: (value: number) => string): Axis => {
  const power = 10 ** Math.floor(Math.log10(Math.max(max, 1) / 4));
  const step = ([1, 2, 5, 10].find((factor) => factor * power * 5 >= max) ?? 10) * power;
  const count = Math.max(1, Math.ceil(max / step));
  return {
    title,
    place: (value) => value / (count * step),
    ticks: Array.from({ length: count + 1 }, (_, i) => ({ value: i * step, text: text(i * step) })),
  };
};

/** Linear between round numbers at or beyond `min` and `max`, which need not be near 0. */
export const spanAxis = (title: string, min: number, max: number, text: (value: number) => string): Axis => {
  const span = max > min ? max - min : Math.max(1, Math.abs(max) / 100);
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = ([1, 2, 5, 10].find((factor) => factor * power * 5 >= span) ?? 10) * power;
  const from = Math.floor(min / step);
  const count = Math.max(1, Math.ceil(max / step) - from);
  return {
    title,
    place: (value) => (value / step - from) / count,
    ticks: Array.from({ length: count + 1 }, (_, i) => ({ value: (from + i) * step, text: text((from + i) * step) })),
  };
};

/** Logarithmic from the round number at or below `min` to the one at or above `max`; round is 1, 2 or 5 times 10^n. */
export const logAxis = (title: string, min: number, max: number, text: (value: number) => string): Axis => {
  const low = Math.floor(Math.log10(min));
  const decades = Array.from({ length: Math.ceil(Math.log10(max)) - low + 1 }, (_, i) => 10 ** (low + i));
  const round = decades.flatMap((decade) => [decade, 2 * decade, 5 * decade]);
  const from = round.findLast((value) => value <= min) ?? min;
  const to = round.find((value) => value >= max && value > from) ?? max;
  const within = round.filter((value) => value >= from && value <= to);
  const ticks = within.length > 8 ? within.filter((value) => Number.isInteger(Math.log10(value))) : within;
  return {
    title,
    place: (value) => Math.log(value / from) / Math.log(to / from),
    ticks: ticks.map((value) => ({ value, text: text(value) })),
  };
};

const left = 64;
const right = 14;
const top = 10;
const bottom = 44;
const height = 280;

/** How many lines a chart can tell apart. */
export const seriesCount = 10;
const series = (i: number): string => `series s${i % seriesCount}`;

const draw = (label: string, x: Axis, y: Axis, lines: readonly Line[], width: number): Markup => {
  const px = (value: number) => (left + x.place(value) * (width - left - right)).toFixed(1);
  const py = (value: number) => (height - bottom - y.place(value) * (height - top - bottom)).toFixed(1);
  const path = ({ points }: Line) => points.map(([a, b], i) => `${i === 0 ? 'M' : 'L'}${px(a)} ${py(b)}`).join('');
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
${y.ticks.map(
  ({ value, text }) => html`<line class="grid" x1="${left}" x2="${width - right}" y1="${py(value)}" y2="${py(value)}"/>
<text x="${left - 8}" y="${py(value)}" dy=".35em" text-anchor="end">${text}</text>`,
)}
${x.ticks.map(
  ({ value, text }) => html`<line class="grid" x1="${px(value)}" x2="${px(value)}" y1="${top}" y2="${height - bottom}"/>
<text x="${px(value)}" y="${height - bottom + 17}" text-anchor="middle">${text}</text>`,
)}
<text class="title" x="${(width + left - right) / 2}" y="${height - 8}" text-anchor="middle">${x.title}</text>
${lines.map((line, i) => html`<path class="${series(i)}" d="${path(line)}"/>`)}
${lines.map((line, i) =>
  line.marks.map(
    ({ at: [a, b], text }) =>
      html`<circle class="${series(i)}" cx="${px(a)}" cy="${py(b)}" r="4"><title>${line.name}: ${text}</title></circle>`,
  ),
)}
</svg>`;
};

/**
 * A line chart with its legend, drawn once for wide screens and once for narrow ones, so that its text keeps its size.
 * `label` says in words what it shows.
 */
export const chart = (label: string, x: Axis, y: Axis, lines: readonly Line[], note?: Part): Markup => html`<figure>
<figcaption><strong>${y.title}</strong>${note}</figcaption>
<ul class="legend">${lines.map(
  ({ name }, i) =>
    html`<li><svg viewBox="0 0 28 10" aria-hidden="true"><path class="${series(i)}" d="M1 5H27"/></svg>${name}</li>`,
)}</ul>
<div class="wide">${draw(label, x, y, lines, 860)}</div>
<div class="narrow">${draw(label, x, y, lines, 340)}</div>
</figure>`;
