import { usageFault } from '../../system/errors.ts';
import { countedEntries, type Shard, type SuiteEntry } from './suite.ts';

/** Which of so many shards, both from 1. */
export type ShardChoice = Pick<Shard, 'index' | 'count'>;

/** A {@link ShardChoice} as `K/N`; undefined where it is none. */
export const parseShard = (text: string): ShardChoice | undefined => {
  const [, index = 0, count = 0] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number);
  return index >= 1 && index <= count ? { index, count } : undefined;
};

/** The part of a plan that is dealt to a shard, in order: every nth, so that no shard gets all that takes long. */
export const shardOf = <T>(plan: readonly T[], { index, count }: ShardChoice): readonly T[] =>
  plan.filter((_, position) => position % count === index - 1);

/** What a shard left: its entries in the order in which they were dealt. */
export type ShardReport = { readonly from: string; readonly shard: Shard; readonly entries: readonly SuiteEntry[] };

const shown = ({ index, count }: ShardChoice): string => `${index}/${count}`;

/** Throws a usage fault unless all are shards of one suite, each of them once. */
const checkTogether = ([first, ...others]: readonly [ShardReport, ...ShardReport[]]): void => {
  const seen = new Map([[first.shard.index, first.from]]);
  const whole = ({ index: _, ...rest }: Shard) => JSON.stringify(rest);
  for (const { from, shard } of others) {
    const twice = seen.get(shard.index);
    if (twice !== undefined) throw usageFault(`${twice} and ${from} are both the shard ${shown(shard)}: leave out one`);
    if (whole(shard) !== whole(first.shard))
      throw usageFault(`${first.from} and ${from} are shards of different suites`, [
        'give all of them the same scenarios, --machine and N',
      ]);
    seen.set(shard.index, from);
  }
};

/**
 * The entries of a whole suite out of those of its shards, in the suite's own order: the same ones, with the same verdict,
 * as without shards. What a shard that is missing or was broken off has not run is incomplete.
 */
export const mergeShards = (reports: readonly [ShardReport, ...ShardReport[]]): readonly SuiteEntry[] => {
  checkTogether(reports);
  const { count, plan, named, unable } = reports[0].shard;
  const ran = plan.map((planned, position): SuiteEntry => {
    const index = (position % count) + 1;
    const report = reports.find(({ shard }) => shard.index === index);
    const entry = report?.entries[Math.floor(position / count)];
    if (entry) return entry;
    const what = report ? 'was broken off before' : 'left no report';
    return { ...planned, seconds: 0, verdict: 'incomplete', reason: `the shard ${index}/${count} ${what}` };
  });
  return countedEntries(ran, unable, named);
};
