import { closest, distance } from 'fastest-levenshtein';
import { usageFault } from './errors.ts';

/** ` (did you mean 'bridged'? there are …)`: a hint for a word that is not one of `known`. */
export const nearest = (word: string, known: readonly string[]): string => {
  const best = known.length > 0 ? closest(word, [...known]) : undefined;
  const hint =
    best !== undefined && distance(word, best) <= Math.max(2, word.length / 2) ? `did you mean '${best}'? ` : '';
  return ` (${hint}there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ') || 'none'})`;
};

/** Throws a usage fault, which names the nearest, for a key of a document that is not one of `known`. */
export const refuseUnknown = (document: unknown, known: readonly string[], what: string): void => {
  const keys = Object.keys(typeof document === 'object' && document !== null ? document : {});
  const unknown = keys.find((key) => !known.includes(key));
  if (unknown !== undefined) throw usageFault(`${what}: no key '${unknown}'${nearest(unknown, known)}`);
};
