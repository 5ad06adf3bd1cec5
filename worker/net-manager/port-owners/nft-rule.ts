import type { Field, Match, Rule, Verdict } from './owner.ts';

/** The words between the braces of a table's sets and maps, by name. */
export type Sets = ReadonlyMap<string, readonly string[]>;

/** Words at the beginning of what a rule looks at, and their number. `protocol` is what the words say beside it. */
type Known = { readonly field: Field; readonly length: number; readonly protocol?: string };

const transport = new Set(['tcp', 'udp', 'udplite', 'sctp', 'dccp', 'th']);

const known = (words: readonly string[], at: number): Known | undefined => {
  const [first = '', second = ''] = words.slice(at);
  const two = `${first} ${second}`;
  if (transport.has(first) && second === 'dport')
    return { field: 'port', length: 2, ...(first !== 'th' && { protocol: first }) };
  if (['meta l4proto', 'ip protocol', 'ip6 nexthdr'].includes(two)) return { field: 'protocol', length: 2 };
  if (two === 'ip daddr' || two === 'ip6 daddr') return { field: 'address', length: 2 };
  if (first === 'fib') {
    const length = words.slice(at).indexOf('type') + 1;
    if (length > 0) return { field: second === 'daddr' ? 'type' : 'other', length };
  }
  return undefined;
};

/** What one part of several that are joined by dots looks at: of the others it is enough to know where they end. */
const part = (words: readonly string[], at: number, joined: boolean): Known | undefined => {
  const found = known(words, at);
  if (found) return found;
  if (words[at + 1] === '.') return { field: 'other', length: 1 };
  if (words[at + 2] === '.') return { field: 'other', length: 2 };
  if (!joined) return undefined;
  return { field: 'other', length: /^(iif|oif|iifname|oifname|mark)$/.test(words[at] ?? '') ? 1 : 2 };
};

type Selector = { readonly fields: readonly Field[]; readonly protocols: readonly string[]; readonly end: number };

const selector = (words: readonly string[], begin: number): Selector | undefined => {
  const parts: Known[] = [];
  let at = begin;
  for (;;) {
    const next = part(words, at, parts.length > 0);
    if (next === undefined) return undefined;
    parts.push(next);
    at += next.length;
    if (words[at] !== '.') break;
    at += 1;
  }
  return {
    fields: parts.map(({ field }) => field),
    protocols: parts.flatMap(({ protocol }) => protocol ?? []),
    end: at,
  };
};

type Element = { readonly key: readonly string[]; readonly value: readonly string[] };

const splitAt = (words: readonly string[], mark: string): readonly (readonly string[])[] => {
  const parts: string[][] = [[]];
  for (const word of words) {
    if (word === mark) parts.push([]);
    else parts.at(-1)?.push(word);
  }
  return parts.filter((each) => each.length > 0);
};

/** What an element is found by; its time-out, counter and comment come behind that. */
const keyOf = (words: readonly string[]): readonly string[] => splitAt(words, '.').map(([first = '']) => first);

const elementsOf = (words: readonly string[]): readonly Element[] =>
  splitAt(words, ',').map((element) => {
    const colon = element.indexOf(':');
    return colon < 0
      ? { key: keyOf(element), value: [] }
      : { key: keyOf(element.slice(0, colon)), value: element.slice(colon + 1) };
  });

const operators: Readonly<Record<string, (key: string) => string>> = {
  '==': (key) => key,
  '!=': (key) => key,
  '<': (key) => `0-${Number(key) - 1}`,
  '<=': (key) => `0-${key}`,
  '>': (key) => `${Number(key) + 1}-65535`,
  '>=': (key) => `${key}-65535`,
};

/** What a selector is compared with: the elements of a set in braces or of one with a name, or one value. */
const values = (words: readonly string[], at: number, width: number, sets: Sets) => {
  const word = words[at] ?? '';
  if (word === '{') {
    const end = words.indexOf('}', at);
    return {
      elements: elementsOf(words.slice(at + 1, end < 0 ? undefined : end)),
      end: end < 0 ? words.length : end + 1,
    };
  }
  if (word.startsWith('@')) {
    const found = sets.get(word.slice(1));
    return { elements: found && elementsOf(found), end: at + 1 };
  }
  const end = at + 2 * width - 1;
  return { elements: [{ key: keyOf(words.slice(at, end)), value: [] }], end };
};

const verdictOf = ([first = '', second = '']: readonly string[]): Verdict | undefined => {
  if (first === 'jump' || first === 'goto') return { to: second, back: first === 'jump' };
  if (first === 'return') return 'return';
  return ['accept', 'drop', 'reject', 'queue'].includes(first) ? 'stop' : undefined;
};

const isProtocol = (protocols: readonly string[]): readonly Match[] =>
  protocols.map((protocol) => ({ fields: ['protocol'], keys: [[protocol]], not: false }));

/** The conditions in a statement such as `dnat ip to tcp dport map { 80 : 10.0.0.2 }`: what the map has no key for stays. */
const conditionsOfMap = (statement: readonly string[], sets: Sets): readonly Match[] => {
  const map = statement.indexOf('map');
  if (map < 0) return [];
  const words = statement.slice(0, map).map((word) => word.replace(/^:(?=[a-z])/, ''));
  const found = selector(words, words.indexOf('to') + 1);
  const { elements } = values(statement, map + 1, 1, sets);
  if (found?.end !== map || elements === undefined) return [];
  return [...isProtocol(found.protocols), { fields: found.fields, keys: elements.map(({ key }) => key), not: false }];
};

const isMapping = (words: readonly string[], at: number): boolean =>
  ['dnat', 'redirect', 'tproxy'].includes(words[at] ?? '') ||
  (words[at] === 'xt' && words[at + 1] === 'target' && /^"?(DNAT|REDIRECT|TPROXY)"?$/.test(words[at + 2] ?? ''));

/** How many words say nothing about where a packet goes: a counter, a comment. */
const silentWords = (words: readonly string[], at: number): number => {
  if (words[at] === 'comment') return 2;
  if (words[at] !== 'counter') return 0;
  if (words[at + 1] === 'name') return 3;
  return words[at + 1] === 'packets' ? 5 : 1;
};

/** Reads a rule of nft's, as several where a map gives each of its keys a verdict of its own. */
export const readRule = (words: readonly string[], sets: Sets): readonly Rule[] => {
  const rules: Rule[] = [];
  const matches: Match[] = [];
  let certain = true;
  for (let at = 0; at < words.length; ) {
    const verdict = verdictOf(words.slice(at));
    if (verdict !== undefined) return [...rules, { matches, certain, verdict }];
    if (isMapping(words, at)) {
      const narrowed = [...matches, ...conditionsOfMap(words.slice(at), sets)];
      return [...rules, { matches: narrowed, certain, verdict: 'map' }];
    }
    const silent = silentWords(words, at);
    const found = silent > 0 ? undefined : selector(words, at);
    if (found === undefined) {
      if (silent === 0) certain = false;
      at += Math.max(1, silent);
      continue;
    }
    const operator = words[found.end] ?? '';
    const convert = operators[operator];
    const isMap = operator === 'vmap';
    const { elements, end } = values(words, found.end + (convert || isMap ? 1 : 0), found.fields.length, sets);
    at = end;
    matches.push(...isProtocol(found.protocols));
    if (elements === undefined) {
      certain = false;
      continue;
    }
    const { fields } = found;
    if (isMap)
      for (const { key, value } of elements) {
        const its = verdictOf(value);
        if (its !== undefined)
          rules.push({ matches: [...matches, { fields, keys: [key], not: false }], certain, verdict: its });
      }
    else
      matches.push({
        fields,
        keys: elements.map(({ key }) => key.map((each) => convert?.(each) ?? each)),
        not: operator === '!=',
      });
  }
  return rules;
};
