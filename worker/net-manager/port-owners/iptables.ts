import type { Chain, Field, Match, Rule, Table, Verdict } from './owner.ts';

/** The options that say where a packet goes to, each with what it looks at. */
const conditions: Readonly<Record<string, Field>> = {
  '-p': 'protocol',
  '--protocol': 'protocol',
  '-d': 'address',
  '--destination': 'address',
  '--dport': 'port',
  '--dports': 'port',
  '--ports': 'port',
  '--destination-port': 'port',
  '--destination-ports': 'port',
  '--dst-type': 'type',
};

/** Options that narrow nothing. */
const silent = new Set(['-m', '--match', '--comment']);

const verdicts: Readonly<Record<string, Verdict>> = {
  DNAT: 'map',
  REDIRECT: 'map',
  TPROXY: 'map',
  RETURN: 'return',
  ACCEPT: 'stop',
  DROP: 'stop',
};

/** The targets after which the next rule is looked at. */
const passing = new Set(['LOG', 'MARK', 'CONNMARK', 'NFLOG', 'TRACE', 'SET', 'CT']);

const readRule = (words: readonly string[]): Rule | undefined => {
  const matches: Match[] = [];
  let certain = true;
  let not = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const value = words[at + 1] ?? '';
    const field = conditions[word];
    if (word === '!') {
      not = true;
      continue;
    }
    if (word === '-j' || word === '-g') {
      if (passing.has(value)) return undefined;
      return { matches, certain, verdict: verdicts[value] ?? { to: value, back: word === '-j' } };
    }
    if (field !== undefined) matches.push({ fields: [field], keys: value.split(',').map((key) => [key]), not });
    else if (word.startsWith('-') && !silent.has(word)) certain = false;
    not = false;
    if (field !== undefined || silent.has(word)) at++;
  }
  return undefined;
};

const wordsOf = (line: string): readonly string[] => line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];

/** Reads what `iptables-save` or `ip6tables-save` prints of a family's tables. */
export const readIptables = (family: 'ip' | 'ip6', text: string): readonly Table[] => {
  const tables: { readonly name: string; readonly chains: Map<string, Chain & { readonly rules: Rule[] }> }[] = [];
  const chainOf = (name: string) => {
    const chains = tables.at(-1)?.chains;
    const chain = chains?.get(name) ?? {
      hook: name === 'PREROUTING' || name === 'OUTPUT' ? name.toLowerCase() : undefined,
      rules: [],
    };
    chains?.set(name, chain);
    return chain;
  };
  for (const line of text.split('\n')) {
    const [first = '', name = '', ...words] = wordsOf(line);
    if (first.startsWith('*')) tables.push({ name: `${family} ${first.slice(1)}`, chains: new Map() });
    if (first.startsWith(':')) chainOf(first.slice(1));
    const rule = first === '-A' ? readRule(words) : undefined;
    if (rule) chainOf(name).rules.push(rule);
  }
  return tables;
};
