import { createHash } from 'node:crypto';

/** Choices that are the same for the same seed. */
export type Random = {
  /** A whole number from `least` to `most`. */
  readonly between: (least: number, most: number) => number;
  readonly chance: (share: number) => boolean;
  /** One of `choices`, drawn by weight. */
  readonly weighted: <T>(choices: readonly (readonly [weight: number, choice: T])[]) => T;
};

/** Draws from the digests of `seed` and a counter: what is drawn does not depend on the version of any library. */
export const randomFrom = (seed: string): Random => {
  let count = 0;
  const next = (): number => {
    count += 1;
    return createHash('sha256').update(`${seed}/${count}`).digest().readUInt32BE(0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    between,
    chance: (share) => next() < share,
    weighted: (choices) => {
      let left = next() * choices.reduce((sum, [weight]) => sum + weight, 0);
      const found = choices.find(([weight]) => {
        left -= weight;
        return left < 0;
      });
      const [, choice] = found ?? choices[choices.length - 1] ?? [];
      if (choice === undefined) throw new Error('there is nothing to draw from');
      return choice;
    },
  };
};
