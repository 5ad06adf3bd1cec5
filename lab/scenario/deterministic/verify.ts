import { allOrFirst } from '../run/boards.ts';
import type { CountedRun } from './boot.ts';
import { differenceOf } from './compare.ts';

/** What repetitions of a run showed: the run that the others confirmed, and what has to be said about it. */
export type Repeated = {
  readonly run: CountedRun;
  readonly note?: string;
  /** Set when the runs are not the same, and no third one can decide. */
  readonly difference?: string;
};

/**
 * Runs twice, at the same time, and compares. A difference of one tick of the counter, which was seen once in 21 runs,
 * is tried a third time: two of the three have to be the same.
 */
export const repeatUntilSure = async (
  boot: (which: string, signal: AbortSignal) => Promise<CountedRun>,
  signal: AbortSignal,
): Promise<Repeated> => {
  const pair = await allOrFirst(
    [', first run', ', second run'].map((which) => (ends) => boot(which, ends)),
    signal,
  );
  const [first, second] = pair;
  if (first === undefined || second === undefined) throw new Error('a run is missing');
  const found = differenceOf(first, second);
  const what = `two runs with seed ${first.seed}`;
  if (found.kind === 'none') return { run: first, note: `${what} were the same to the byte` };
  if (found.kind === 'more') return { run: first, difference: `${what} differ: ${found.where}` };
  const third = await boot(', third run', signal);
  const same = [first, second].find((run) => differenceOf(run, third).kind === 'none');
  const tick = `${what} differed by one tick of the counter: ${found.where}`;
  if (same === undefined) return { run: first, difference: `${tick}; a third run is like neither` };
  return { run: same, note: `${tick}; a third run was like ${same === first ? 'the first' : 'the second'}` };
};
