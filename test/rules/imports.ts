import { dirname, join } from 'node:path';

/** Whom each folder imports, by path; a folder stands for all that is in it. */
type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

const importPattern = /(?:\bfrom|\bimport\(?)\s*'(\.{1,2}\/[^']+)'/g;

/** The relative imports of a source text, as paths from the root. */
export const importsOf = (file: string, text: string): readonly string[] =>
  [...text.matchAll(importPattern)].map(([, target = '']) => join(dirname(file), target));

/**
 * The arrows between folders that have the same parent, which is not the root. Files that lie in the parent itself are
 * what its folders share: imports of them, and by them, are no arrows.
 */
const arrowsOf = (sources: ReadonlyMap<string, string>): Arrows => {
  const arrows = new Map<string, Set<string>>();
  for (const [file, text] of sources)
    for (const target of importsOf(file, text)) {
      const [from, to] = [dirname(file).split('/'), dirname(target).split('/')];
      const shared = from.findIndex((part, index) => part !== to[index]);
      if (shared < 1 || to[shared] === undefined) continue;
      const name = from.slice(0, shared + 1).join('/');
      arrows.set(name, (arrows.get(name) ?? new Set()).add(to.slice(0, shared + 1).join('/')));
    }
  return arrows;
};

const reachedFrom = (start: string, arrows: Arrows): ReadonlySet<string> => {
  const reached = new Set<string>();
  const waiting = [start];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop())
    for (const next of arrows.get(folder) ?? [])
      if (!reached.has(next)) {
        reached.add(next);
        waiting.push(next);
      }
  return reached;
};

/** The folders that import themselves by way of a folder beside them, sorted. */
export const foldersInCircles = (sources: ReadonlyMap<string, string>): readonly string[] => {
  const arrows = arrowsOf(sources);
  return [...arrows.keys()].filter((folder) => reachedFrom(folder, arrows).has(folder)).sort();
};
