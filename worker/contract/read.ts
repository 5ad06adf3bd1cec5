/**
 * How this worker reads what others write: conf.json, netcfg.json and tuncfg.json, the answers of a cluster and of a
 * net manager, every MQTT message, and the bodies of requests. One rule for all of them:
 *
 * 1. Required is only what is needed to act. A document that lacks it is refused, by {@link InvalidData}.
 * 2. null means absent, and so does a blank text where a number belongs. What is absent has the default that its schema
 *    names.
 * 3. Unknown keys pass. A number or a truth value in quotation marks, and digits without them, mean what they say.
 * 4. An entry of a list that cannot be used is left out, with a line for the log, and never takes the others along.
 * 5. So is an optional value that cannot be used; but what is marked {@link refused}, a value or an entry, is refused
 *    then, because doing without it would be something else than what was asked: TLS, what instances may reach, how a
 *    job is run.
 *
 * What this worker writes is checked exactly, with `parse` in check.ts, and so are its own journals.
 */
import type { Static, TSchema } from 'typebox';
import { type Fault, faultsOf, InvalidData } from './check.ts';

/** Marks a schema whose value, when there is one that cannot be used, is refused and does not count as absent. */
export const refused = { 'x-refused': true } as const;

/** Marks a text that may be written as a number, too. */
export const orNumber = { pattern: '' } as const;

/** Takes a line about what was left out. */
export type Warn = (text: string) => void;

type Node = {
  readonly type?: string;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly 'x-refused'?: true;
};
type Path = readonly string[];

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The alternative of a schema that a value can be meant for. */
const alternative = (schema: Node, value: unknown): Node => {
  const some = schema.anyOf?.filter(({ type }) => type !== 'null');
  if (some === undefined) return schema;
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return (some.length === 1 ? some[0] : some.find(({ type }) => type === kind)) ?? schema;
};

const scalar = ({ type, pattern }: Node, value: unknown): unknown => {
  if ((type === 'integer' || type === 'number') && typeof value === 'string')
    return /^\s*\d+(?:\.\d+)?\s*$/.test(value) ? Number(value) : value;
  if (type === 'boolean' && typeof value === 'string')
    return { true: true, false: false }[value.trim().toLowerCase()] ?? value;
  if (type === 'string' && pattern !== undefined && Number.isFinite(value)) return String(value);
  return value;
};

/** True for the blank field of a form where a number belongs. */
const isBlankNumber = (schema: Node, value: unknown): boolean => {
  const { type } = alternative(schema, 0);
  return (type === 'integer' || type === 'number') && typeof value === 'string' && value.trim() === '';
};

/** `value` without what is null, with what has a default, and with scalars as the schema types them. */
const normalized = (schema: Node, value: unknown): unknown => {
  const { properties, items, ...rest } = alternative(schema, value);
  if (properties && isRecord(value)) {
    const copy = { ...value };
    for (const [key, part] of Object.entries(properties)) {
      const given = Object.hasOwn(value, key) ? value[key] : undefined;
      const present = isBlankNumber(part, given) ? part.default : (given ?? part.default);
      if (present === undefined) delete copy[key];
      else copy[key] = normalized(part, present);
    }
    return copy;
  }
  if (items && Array.isArray(value)) {
    const present = items['x-refused'] ? value.filter((entry) => entry !== null) : value;
    return present.map((entry) => normalized(items, entry));
  }
  return scalar(rest, value);
};

/** The innermost part around a fault that the document can do without, or undefined where there is none. */
const dispensable = (schema: Node, value: unknown, path: Path): Path | undefined => {
  let found: Path | undefined;
  let at: Node = schema;
  let inside = value;
  for (const [depth, key] of path.entries()) {
    const { properties, items, required = [] } = alternative(at, inside);
    const child = items ?? properties?.[key];
    if (child === undefined) break;
    if (items || !required.includes(key) || child.default !== undefined) found = path.slice(0, depth + 1);
    if (child['x-refused']) found = undefined;
    at = child;
    inside = (inside as Record<string, unknown>)[key];
  }
  return found;
};

/** Parts of a document: a whole one, or some inside it. */
type Parts = { isWhole: boolean; readonly inside: Map<string, Parts> };

const partsOf = (paths: Iterable<Path>): Parts => {
  const newParts = (): Parts => ({ isWhole: false, inside: new Map() });
  const all = newParts();
  for (const path of paths) {
    let at = all;
    for (const key of path) {
      const next = at.inside.get(key) ?? newParts();
      at.inside.set(key, next);
      at = next;
    }
    at.isWhole = true;
  }
  return all;
};

/** A copy of `value` in which `parts` are undefined. */
const without = (value: unknown, { isWhole, inside }: Parts): unknown => {
  if (isWhole) return undefined;
  const less = (entry: unknown, key: string): unknown => {
    const parts = inside.get(key);
    return parts === undefined ? entry : without(entry, parts);
  };
  if (Array.isArray(value)) return value.map((entry: unknown, index) => less(entry, String(index)));
  return isRecord(value)
    ? Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, less(entry, key)]))
    : value;
};

const compact = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.filter((entry) => entry !== undefined).map(compact);
  return isRecord(value)
    ? Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, compact(entry)]))
    : value;
};

/** The faults that have no other inside: of alternatives, all that were not meant are reported around the one that was. */
const innermost = (faults: readonly Fault[]): readonly Fault[] => {
  const around = new Set(faults.flatMap(({ path }) => path.map((_, depth) => JSON.stringify(path.slice(0, depth)))));
  return faults.filter(({ path }) => !around.has(JSON.stringify(path)));
};

/** The most lines about one document: a list of thousands must not fill the log. */
const maxNotes = 10;

/** How deep a document may be nested; none of the contract's has more than seven levels. */
const maxDepth = 64;

/** `value` with null in place of what is nested too deep to be worked on: whoever nests that deep means harm. */
const shallow = (value: unknown, depth = maxDepth): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return null;
  if (Array.isArray(value)) return value.map((entry: unknown) => shallow(entry, depth - 1));
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, shallow(entry, depth - 1)]));
};

/** What can be used of `data`, typed as the schema says. Throws {@link InvalidData}, naming `name`. */
export const read = <T extends TSchema>(schema: T, data: unknown, name: string, note: Warn): Static<T> => {
  let value = normalized(schema as Node, shallow(data));
  let notes = 0;
  for (let faults = faultsOf(schema, value); faults.length > 0; faults = faultsOf(schema, value)) {
    const found = innermost(faults).map((fault) => ({
      ...fault,
      part: dispensable(schema as Node, value, fault.path),
    }));
    const fatal = found.filter(({ part }) => part === undefined);
    if (fatal.length > 0) {
      const more = fatal.length > maxNotes ? [`${fatal.length - maxNotes} more faults`] : [];
      throw new InvalidData(name, [...fatal.slice(0, maxNotes).map(({ text }) => text), ...more]);
    }
    const parts = new Map<string, Path>();
    for (const { part = [], text } of found) {
      const key = JSON.stringify(part);
      if (parts.has(key)) continue;
      if (notes < maxNotes) note(`${name}: ${text}; left out`);
      notes += 1;
      parts.set(key, part);
    }
    value = normalized(schema as Node, compact(without(value, partsOf(parts.values()))));
  }
  if (notes > maxNotes) note(`${name}: ${notes - maxNotes} more faults; left out`);
  return value as Static<T>;
};

/** The same from JSON text. Throws {@link InvalidData} for text that is not JSON, too. */
export const readJson = <T extends TSchema>(schema: T, text: string, name: string, note: Warn): Static<T> => {
  let data: unknown;
  try {
    data = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new InvalidData(name, [`not JSON: ${(error as Error).message}`]);
  }
  return read(schema, data, name, note);
};
