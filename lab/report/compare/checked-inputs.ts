import type { Input } from '../model/results.ts';

/** An input whose digest a report records, and its digest as recomputed; undefined where nothing here is that input. */
export type InputCheck = {
  readonly name: string;
  readonly version?: string;
  readonly recorded: string;
  readonly here?: string;
};

/** Compares the digests in a report with those of what is here. Components are told apart by their version, a file's name. */
export const checkedInputs = (recorded: readonly Input[], found: readonly Input[]): readonly InputCheck[] =>
  recorded.flatMap(({ name, version, sha256 }) => {
    if (sha256 === undefined) return [];
    const same = found.find((one) => one.name === name && (name !== 'component' || one.version === version));
    return [
      {
        name,
        recorded: sha256,
        ...(version === undefined ? {} : { version }),
        ...(same?.sha256 === undefined ? {} : { here: same.sha256 }),
      },
    ];
  });
