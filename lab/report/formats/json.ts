import type { Results } from '../model/results.ts';
import { type Shard, type SuiteEntry, suiteVerdict } from '../model/suite.ts';

const document = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** `results.json` of one run. */
export const json = (results: Results): string => document(results);

/** `suite.json`: every entry without its results, which lie in a report of their own; of a shard also what it is of. */
export const suiteJson = (entries: readonly SuiteEntry[], shard?: Shard): string =>
  document({
    version: 1,
    verdict: suiteVerdict(entries),
    entries: entries.map(({ results: _, ...entry }) => entry),
    ...(shard === undefined ? {} : { shard }),
  });
