import { readRule, type Sets } from './nft-rule.ts';
import type { Chain, Rule, Table } from './owner.ts';

type Open = {
  readonly name: string;
  readonly sets: Map<string, readonly string[]>;
  readonly chains: Map<string, Chain>;
};

/** The words of a line of nft's; a text in quotation marks is one, and so is a brace or a comma. */
const wordsOf = (line: string): readonly string[] => line.match(/"[^"]*"|[{},]|[^\s{},]+/g) ?? [];

/** The lines of a listing, with the elements of a set, which it breaks into lines, in one. */
const linesOf = (text: string): readonly (readonly string[])[] => {
  const lines: (readonly string[])[] = [];
  let open: string[] | undefined;
  for (const line of text.split('\n')) {
    const words = wordsOf(line);
    if (open) open.push(...words);
    else if (words[0] === 'elements') open = [...words];
    else if (words.length > 0) lines.push(words);
    if (open?.includes('}')) {
      lines.push(open);
      open = undefined;
    }
  }
  return lines;
};

/** Words at the beginning of a line in a chain that are no rule. */
const isNoRule = ([first = '']: readonly string[]): boolean =>
  ['type', 'policy', 'comment', 'device'].includes(first) || first.startsWith('#');

/** Reads what `nft list ruleset` prints. */
export const readNft = (text: string): readonly Table[] => {
  const tables: Open[] = [];
  let [kind, name] = ['', ''];
  let chain: { hook: string | undefined; rules: (readonly string[])[] } | undefined;
  const close = (sets: Sets | undefined): void => {
    if (chain && sets)
      tables.at(-1)?.chains.set(name, {
        hook: chain.hook,
        rules: chain.rules.flatMap((words): readonly Rule[] => readRule(words, sets)),
      });
    chain = undefined;
    kind = '';
  };
  for (const words of linesOf(text)) {
    const [first = '', second = '', third = ''] = words;
    const table = tables.at(-1);
    if (first === 'table') tables.push({ name: `${second} ${third}`, sets: new Map(), chains: new Map() });
    else if (first === '}') close(table?.sets);
    else if (kind === '' && words.at(-1) === '{') {
      [kind, name] = [first, second];
      if (kind === 'chain') chain = { hook: undefined, rules: [] };
    } else if (first === 'elements') table?.sets.set(name, words.slice(words.indexOf('{') + 1, words.lastIndexOf('}')));
    else if (chain && first === 'type') chain.hook = words[words.indexOf('hook') + 1];
    else if (chain && !isNoRule(words)) chain.rules.push(words);
  }
  return tables;
};
