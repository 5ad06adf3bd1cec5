import { run } from '../../system/run.ts';
import { elementsAfter, type Listing, readListing } from '../plan/listing.ts';
import type { Plan } from '../plan/plan.ts';
import { table } from '../plan/ruleset.ts';

/** The rules that our table was last made with, and what nft lists of them: in other words than it was told. */
let made: { readonly rules: string; readonly structure: string } | undefined;

const list = async (): Promise<Listing | undefined> => {
  try {
    return readListing(await run(['nft', '-a', 'list', 'table', ...table.split(' ')]));
  } catch {
    return undefined;
  }
};

/** The commands that make the whole table. */
const commandsOf = (plan: Plan): readonly string[] =>
  plan.flatMap((step) => (step.tool === 'nft' && step.holds !== undefined ? step.do : []));

/** What of these commands is no element of a set or map: they depend on the settings, the elements on the instances. */
const rulesOf = (commands: readonly string[]): string =>
  commands.filter((command) => !command.startsWith('add element ')).join('\n');

/** Takes our table, which has just been made as a plan says, for what it is to be. */
export const rememberRules = async (plan: Plan): Promise<void> => {
  const now = await list();
  made = now && { rules: rulesOf(commandsOf(plan)), structure: now.structure };
};

/** True when our table has the parts that a plan gives it, and its sets and maps hold what they are to hold. */
export const rulesIntact = async (plan: Plan): Promise<boolean> => {
  const now = await list();
  const wanted = commandsOf(plan);
  return (
    now !== undefined &&
    now.structure === made?.structure &&
    rulesOf(wanted) === made.rules &&
    elementsAfter(wanted).symmetricDifference(now.elements).size === 0
  );
};
