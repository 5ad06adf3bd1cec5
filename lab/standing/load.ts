import type { LoadResult } from '../load/load-plan.ts';
import type { Expected, LoadCounts } from '../load/tally.ts';
import { loadCounts } from '../report/model/load-record.ts';
import { type Answer, answersLike } from '../scenario/targets/answer.ts';
import type { LoadSummary } from './protocol.ts';

const percentiles = [50, 90, 99] as const;

/**
 * What all answers to a load have to be: as the first one that `ask` gets, with any body where the second one has another.
 * Unlike a scenario, nobody has said what is right.
 */
export const expectedByAsking = async (ask: () => Promise<Answer>): Promise<Expected> => {
  const first = await ask();
  const second = await ask();
  return answersLike({ path: '/', status: first.status, anyBody: !first.bytes.equals(second.bytes) }, first);
};

/** A load in the terms of the protocol. */
export const summarize = (
  url: string,
  result: LoadResult,
  more: Pick<LoadSummary, 'notes' | 'performance' | 'cpu'>,
): LoadSummary => ({
  url,
  counts: Object.fromEntries(Object.keys(loadCounts).map((count) => [count, result[count as keyof LoadCounts]])),
  rate: result.rate,
  latency: Object.fromEntries(percentiles.map((p) => [`p${p}`, result.latency.getValueAtPercentile(p)])),
  ...more,
});
