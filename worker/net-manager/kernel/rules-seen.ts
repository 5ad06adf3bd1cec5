import { run } from '../../system/run.ts';
import { elementsAfter, type Listing, readListing } from '../plan/listing.ts';
import type { Plan } from '../plan/plan.ts';
import { table } from '../plan/ruleset.ts';

/** The parts of our table as they were when it was last made: nft lists a rule in other words than it was told. */
let made: string | undefined;

const list = async (): Promise<Listing | undefined> => {
  try {
    return readListing(await run(['nft', '-a', 'list', 'table', ...table.split(' ')]));
  } catch {
    return undefined;
  }
};

/** Takes our table, which has just been made, for what it is to be. */
export const rememberRules = async (): Promise<void> => {
  made = (await list())?.structure;
};

/** True when our table has the parts that it was made with, and its sets and maps hold what a plan gives them. */
export const rulesStand = async (plan: Plan): Promise<boolean> => {
  const now = await list();
  const wanted = plan.flatMap((step) => (step.tool === 'nft' && step.holds !== undefined ? step.do : []));
  return (
    now !== undefined && now.structure === made && elementsAfter(wanted).symmetricDifference(now.elements).size === 0
  );
};
