/** A table as the kernel has it: its parts with their handles, and what its sets and maps hold. */
export type Listing = { readonly structure: string; readonly elements: ReadonlySet<string> };

const canonical = (word: string): string =>
  word.includes(':') && word.length > 1 ? new URL(`http://[${word}]`).hostname.slice(1, -1) : word.replaceAll('"', '');

/** `set key` or `map key : value`, with every address in its one form. */
const elementText = (set: string, text: string): string => [set, ...text.trim().split(/\s+/).map(canonical)].join(' ');

const split = (set: string, texts: string): readonly string[] =>
  texts.split(',').flatMap((text) => (text.trim() === '' ? [] : [elementText(set, text)]));

/** Reads the output of `nft -a list table`. */
export const readListing = (text: string): Listing => {
  const elements = new Set<string>();
  let set = '';
  const structure = text.replaceAll(
    /^\t(?:set|map) (?<name>\S+) \{|^\t\telements = \{(?<all>[^}]*)\}\n/gm,
    (line: string, name: string | undefined, all: string | undefined) => {
      if (name !== undefined) set = name;
      for (const element of split(set, all ?? '')) elements.add(element);
      return all === undefined ? line : '';
    },
  );
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
