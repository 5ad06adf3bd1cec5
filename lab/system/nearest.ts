import { closest, distance } from 'fastest-levenshtein';

/** ` (did you mean 'bridged'? there are …)`: a hint for a word that is not one of `known`. */
export const nearest = (word: string, known: readonly string[]): string => {
  const best = known.length > 0 ? closest(word, [...known]) : undefined;
  const hint =
    best !== undefined && distance(word, best) <= Math.max(2, word.length / 2) ? `did you mean '${best}'? ` : '';
  return ` (${hint}there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ') || 'none'})`;
};
