/** A table as the kernel has it: its parts with their handles, and what its sets and maps hold. */
export type Listing = { readonly structure: string; readonly elements: ReadonlySet<string> };

const canonical = (word: string): string =>
  word.includes(':') && word.length > 1 ? new URL(`http://[${word}]`).hostname.slice(1, -1) : word.replaceAll('"', '');

/** What nft calls protocols on a board without /etc/protocols, which small images do not have. */
const protocols: Readonly<Record<string, string>> = { 6: 'tcp', 17: 'udp' };

/** `set key` or `map key : value`, with every address in its one form, and the protocol that a key begins with by its name. */
const elementText = (set: string, text: string): string => {
  const [first = '', ...rest] = text.trim().split(/\s+/).map(canonical);
  return [set, protocols[first] ?? first, ...rest].join(' ');
};

const split = (set: string, texts: string): readonly string[] =>
  texts.split(',').flatMap((text) => (text.trim() === '' ? [] : [elementText(set, text)]));

/** What begins a set or map, says that its elements go by themselves, or lists them, one of them counted. */
const partOfSet = /^\t(?:set|map) (?<name>\S+) \{|^\t\tflags .*timeout|^\t\telements = \{(?<all>[^}]*)\}\n/gm;
const count = / counter(?: packets \d+ bytes \d+)?/g;

/** Reads the output of `nft -s -a list table`. What packets put into sets, and what leaves them after a time, is left out. */
export const readListing = (text: string): Listing => {
  const elements = new Set<string>();
  let set = '';
  let lasting = true;
  const structure = text.replaceAll(partOfSet, (line: string, name: string | undefined, all: string | undefined) => {
    if (name !== undefined) [set, lasting] = [name, true];
    else if (all === undefined) lasting = false;
    if (lasting) for (const element of split(set, (all ?? '').replaceAll(count, ''))) elements.add(element);
    return all === undefined ? line : '';
  });
  return { structure, elements };
};

/** What the sets and maps hold once commands of `nft` have made a table anew. */
export const elementsAfter = (commands: readonly string[]): ReadonlySet<string> =>
  new Set(
    commands.flatMap((command) => {
      const added = /^add element \S+ \S+ (?<set>\S+) \{ (?<all>.*) \}$/.exec(command)?.groups;
      return added ? split(added['set'] ?? '', added['all'] ?? '') : [];
    }),
  );
