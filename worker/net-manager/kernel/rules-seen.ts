import { CommandFailed, run } from '../../system/run.ts';
import { elementsAfter, type Listing, readListing } from '../plan/listing.ts';
import type { Plan, Rules } from '../plan/plan.ts';

type Whole = Required<Pick<Rules, 'whole'>> & Rules;

/** The rules that tables were last made with, and what nft lists of them: in other words than it was told. */
const made = new Map<string, { readonly rules: string; readonly structure: string }>();

/** So long may a listing take, in ms: of a thousand services, on a busy board. */
const patienceMs = 60_000;

const listOne = async (table: string): Promise<Listing> =>
  readListing(await run(['nft', '-s', '-a', 'list', 'table', ...table.split(' ')], { timeoutMs: patienceMs }));

const list = async (tables: readonly string[]): Promise<Listing | undefined> => {
  try {
    const listed = await Promise.all(tables.map(listOne));
    return {
      structure: listed.map(({ structure }) => structure).join('\n'),
      elements: new Set(listed.flatMap(({ elements }) => [...elements])),
    };
  } catch (error) {
    // What could not be looked at is not missing.
    if (error instanceof CommandFailed && error.stderr !== '') return undefined;
    throw error;
  }
};

/** The steps that make whole tables, with the first table's name, by which they are known. */
const stepsOf = (plan: Plan): readonly (readonly [string, Whole])[] =>
  plan.flatMap((step) => (step.tool === 'nft' && step.whole ? [[step.whole[0], { ...step, whole: step.whole }]] : []));

/** What of these commands is no element of a set or map: they depend on the settings, the elements on the instances. */
const rulesOf = (commands: readonly string[]): string =>
  commands.filter((command) => !command.startsWith('add element ')).join('\n');

/** Takes our tables, which have just been made as a plan says, for what they are to be. */
export const rememberRules = async (plan: Plan): Promise<void> => {
  await Promise.all(
    stepsOf(plan).map(async ([name, step]) => {
      const now = await list(step.whole).catch(() => undefined);
      if (now) made.set(name, { rules: rulesOf(step.do), structure: now.structure });
      else made.delete(name);
    }),
  );
};

/** The tables of a plan that have the parts that it gives them, and whose sets and maps hold what they are to hold. */
export const intactRules = async (plan: Plan): Promise<ReadonlySet<string>> => {
  const stand = await Promise.all(
    stepsOf(plan).map(async ([name, step]) => {
      const now = await list(step.whole);
      const before = made.get(name);
      return now !== undefined &&
        now.structure === before?.structure &&
        rulesOf(step.do) === before.rules &&
        elementsAfter(step.do).symmetricDifference(now.elements).size === 0
        ? [name]
        : [];
    }),
  );
  return new Set(stand.flat());
};
