import { type RunRecord, reapRuns } from '../system/runs.ts';
import { ownerWords } from './hardware/labgrid/choose.ts';
import { giveBackLeftovers, type Left } from './hardware/labgrid/leftovers.ts';

/** What killed runs left: on this computer, and at labgrid's coordinators. */
export type Reaped = { readonly runs: readonly RunRecord[]; readonly claims: readonly Left[] };

const wordsOf = ({ owner, coordinator, places, problem }: Left): readonly string[] =>
  problem === undefined
    ? places.map((place) => `gave back the labgrid place ${place}, which ${ownerWords(owner)} had`)
    : [`what ${ownerWords(owner)} has at the labgrid coordinator ${coordinator} stays: ${problem}`];

const toPeople = (text: string): void => void process.stderr.write(`${text}\n`);

/** Removes what killed runs left on this computer, and gives back the labgrid places that they had: `say` is told which. */
export const reap = async (say = toPeople): Promise<Reaped> => {
  const runs = await reapRuns();
  const claims = await giveBackLeftovers();
  for (const text of claims.flatMap(wordsOf)) say(text);
  return { runs, claims };
};
