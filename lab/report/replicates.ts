import { joinReplicates } from './metrics.ts';
import type { Results, Verdict } from './results.ts';

const rank: readonly Verdict[] = ['passed', 'incomplete', 'failed', 'error'];

/** The verdict that matters most. */
export const worstVerdict = (verdicts: readonly Verdict[]): Verdict =>
  rank[Math.max(0, ...verdicts.map((verdict) => rank.indexOf(verdict)))] ?? 'passed';

/**
 * Several runs of one scenario, each on a fresh machine, as one: every metric with a sample a run. Steps, latencies and
 * logs are those of the worst run, or of the last one when all passed. Throws when there is no run.
 */
export const joinRuns = (runs: readonly Results[]): Results => {
  const verdict = worstVerdict(runs.map((results) => results.verdict));
  const shown = runs.findLast((results) => results.verdict === verdict);
  if (!shown) throw new Error('no run to join');
  if (runs.length === 1) return shown;
  return {
    ...shown,
    options: { ...shown.options, replicates: runs.length },
    run: {
      ...shown.run,
      seconds: runs.reduce((sum, { run }) => sum + run.seconds, 0),
      metrics: [...joinReplicates(runs.map(({ run }) => run.metrics))],
      notes: [
        ...new Set(runs.flatMap(({ run }) => run.notes)),
        `${runs.length} replicates; steps, latencies and logs are those of run ${shown.run.id}`,
      ],
    },
  };
};
