import { worstVerdict } from './replicates.ts';
import type { Results, Verdict } from './results.ts';

/** One scenario on one machine, as a suite saw it; `results` are missing when it left none. */
export type SuiteEntry = {
  readonly scenario: string;
  readonly machine: string;
  readonly verdict: Verdict;
  readonly seconds: number;
  readonly reason?: string;
  /** The report's folder, beside the suite's own. */
  readonly report?: string;
  readonly results?: Results;
};

/**
 * The entries of a suite. What could not run on its machine is one only where it was asked for by name or where nothing
 * else ran: a suite of everything is of what the machine can do.
 */
export const countedEntries = (
  ran: readonly SuiteEntry[],
  unable: readonly SuiteEntry[],
  wereNamed: boolean,
): readonly SuiteEntry[] => (wereNamed || ran.length === 0 ? [...ran, ...unable] : ran);

/** A suite's verdict: the worst of its entries; incomplete without any. */
export const suiteVerdict = (entries: readonly SuiteEntry[]): Verdict =>
  entries.length === 0 ? 'incomplete' : worstVerdict(entries.map(({ verdict }) => verdict));
