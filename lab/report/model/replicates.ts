import { joinReplicates } from './metrics.ts';
import type { Condition, Results, Verdict } from './results.ts';

/** Verdicts from the best to the worst, which decides. */
export const verdictRank: readonly Verdict[] = ['passed', 'incomplete', 'failed', 'error'];

/** The verdict that matters most. */
export const worstVerdict = (verdicts: readonly Verdict[]): Verdict =>
  verdictRank[Math.max(0, ...verdicts.map((verdict) => verdictRank.indexOf(verdict)))] ?? 'passed';

/**
 * The condition before the first run and after the last one that say it. A Raspberry Pi's firmware says of throttling
 * that it was, until the next start: only the replicate in which it came shows a change.
 */
const joinConditions = (runs: readonly Results[]): Condition | undefined => {
  const conditions = runs.flatMap(({ run }) => (run.condition ? [run.condition] : []));
  if (conditions.length === 0) return undefined;
  const names = new Set(conditions.flatMap((condition) => Object.keys(condition)));
  return Object.fromEntries(
    [...names].map((name) => {
      const before = conditions.find((condition) => condition[name]?.before !== undefined)?.[name]?.before;
      const after = conditions.findLast((condition) => condition[name]?.after !== undefined)?.[name]?.after;
      return [name, { ...(before !== undefined && { before }), ...(after !== undefined && { after }) }];
    }),
  );
};

/**
 * Several runs of one scenario, each on a fresh machine, as one: every metric with a sample a run. Steps, latencies and
 * logs are those of the worst run, or of the last one when all passed; the board's condition is that before the first
 * run and after the last. `what` is what they differ in. Throws when there is no run.
 */
export const joinRuns = (runs: readonly Results[], what: 'replicates' | 'seeds' = 'replicates'): Results => {
  const verdict = worstVerdict(runs.map((results) => results.verdict));
  const shown = runs.findLast((results) => results.verdict === verdict);
  if (!shown) throw new Error('no run to join');
  if (runs.length === 1) return shown;
  const condition = joinConditions(runs);
  const counted = runs.flatMap(({ metrics }) => (metrics ? [metrics] : []));
  return {
    ...shown,
    ...(counted.length > 0 && { metrics: [...joinReplicates(counted)] }),
    options: { ...shown.options, [what]: runs.length },
    run: {
      ...shown.run,
      ...(condition && { condition }),
      seconds: runs.reduce((sum, { run }) => sum + run.seconds, 0),
      metrics: [...joinReplicates(runs.map(({ run }) => run.metrics))],
      notes: [
        ...new Set(runs.flatMap(({ run }) => run.notes)),
        `${runs.length} ${what}; steps, latencies and logs are those of run ${shown.run.id}`,
      ],
    },
  };
};
