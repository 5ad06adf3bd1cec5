import { isDeepStrictEqual } from 'node:util';
import { tickInstructions } from '../../system/instructions.ts';
import type { CountedRun, GuestEvent } from './boot.ts';

/** How two runs with one seed differ: not at all, by a tick of the counter, or otherwise, first in what `where` says. */
export type Difference =
  | { readonly kind: 'none' }
  | { readonly kind: 'tick'; readonly where: string }
  | { readonly kind: 'more'; readonly where: string };

/** Two times that differ by a tick each make figures that differ by two. */
const figureTicks = 2 * tickInstructions;

const digits = new Intl.NumberFormat('en', { maximumFractionDigits: 3 });

const headOf = ({ event }: GuestEvent): string =>
  ['step', 'text'].reduce(
    (head, key) => (typeof event[key] === 'string' ? `${head} '${event[key]}'` : head),
    event.kind,
  );

/** What an event says with its own times, in ms, taken out: they are compared by themselves. */
const saidBy = ({ event }: GuestEvent): { readonly text: string; readonly times: readonly number[] } => {
  const times: number[] = [];
  const text = JSON.stringify(event, (key, value: unknown) => {
    if (!['ms', 'tookMs'].includes(key) || typeof value !== 'number') return value;
    times.push(value);
    return undefined;
  });
  return { text, times };
};

const nsInMs = 1e6;

/** Two times in ms that differ by the ticks that a figure may. */
const isNearMs = (a: number, b: number): boolean => Math.round(Math.abs(a - b) * nsInMs) <= figureTicks;

const shownPart = (text: string, at: number): string => text.slice(Math.max(0, at - 20), at + 60);

/** Where two texts begin to differ, a few characters of each. */
const contrast = (a: string, b: string): string => {
  const at = [...a].findIndex((character, n) => character !== b[n]);
  const from = at < 0 ? a.length : at;
  return `…${shownPart(a, from)}… and …${shownPart(b, from)}…`;
};

const eventDifference = (a: readonly GuestEvent[], b: readonly GuestEvent[]): Difference => {
  let tick: string | undefined;
  for (const [n, first] of a.entries()) {
    const second = b[n];
    const name = `event ${n + 1} (${headOf(first)})`;
    if (second === undefined) return { kind: 'more', where: `${name}: only in the first run` };
    const [one, other] = [saidBy(first), saidBy(second)];
    if (one.text !== other.text) return { kind: 'more', where: `${name}: ${contrast(one.text, other.text)}` };
    const where = `${name}: at ${digits.format(first.ns)} and ${digits.format(second.ns)} ns`;
    if (Math.abs(first.ns - second.ns) > tickInstructions) return { kind: 'more', where };
    const isFar = one.times.some((ms, time) => !isNearMs(ms, other.times[time] ?? Number.NaN));
    if (isFar) return { kind: 'more', where: `${name}: its times are ${one.times} and ${other.times} ms` };
    if (first.ns !== second.ns || !isDeepStrictEqual(one.times, other.times)) tick ??= where;
  }
  const further = b[a.length];
  if (further !== undefined)
    return { kind: 'more', where: `event ${a.length + 1} (${headOf(further)}): only in the second run` };
  return tick === undefined ? { kind: 'none' } : { kind: 'tick', where: tick };
};

/** The numbers and texts in a document by their paths. */
const leaves = (value: unknown, path = ''): readonly (readonly [string, unknown])[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`))
    : [[path, value]];

const resultDifference = (a: CountedRun, b: CountedRun): Difference => {
  const leavesOf = ({ results: { run: _, ...rest } }: CountedRun) => new Map(leaves(rest));
  const [first, second] = [leavesOf(a), leavesOf(b)];
  let tick: string | undefined;
  for (const path of new Set([...first.keys(), ...second.keys()])) {
    const [one, other] = [first.get(path), second.get(path)];
    if (one === other) continue;
    const where = `${path} of results.json: ${String(one)} and ${String(other)}`;
    const isNear = typeof one === 'number' && typeof other === 'number' && Math.abs(one - other) <= figureTicks;
    if (!isNear) return { kind: 'more', where };
    tick ??= where;
  }
  return tick === undefined ? { kind: 'none' } : { kind: 'tick', where: tick };
};

/**
 * How two runs with one seed differ: first in what happened, each event with its time by the guest's clock, then in the
 * results without `run`.
 */
export const differenceOf = (a: CountedRun, b: CountedRun): Difference => {
  const events = eventDifference(a.events, b.events);
  if (events.kind === 'more') return events;
  const results = resultDifference(a, b);
  return results.kind === 'none' ? events : results.kind === 'more' || events.kind === 'none' ? results : events;
};
