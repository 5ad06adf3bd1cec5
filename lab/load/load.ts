import { freshConnections, keepAlive } from './closed-loop.ts';
import { GeneratorWatch } from './generator.ts';
import type { LoadPlan, LoadResult } from './load-plan.ts';
import { runOpenLoop } from './open-loop.ts';
import { Tally } from './tally.ts';

/**
 * Loads a service and counts what comes back. Failing requests are counted, never thrown; throws the signal's reason
 * at once when it aborts.
 */
export const runLoad = async (plan: LoadPlan): Promise<LoadResult> => {
  const { perSecond } = plan;
  if (perSecond !== undefined) return await runOpenLoop({ ...plan, perSecond });
  const generate = plan.keepAlive ? keepAlive : freshConnections;
  if (plan.warmUpMs > 0) await generate(plan, plan.warmUpMs, new Tally(plan.expect));
  const tally = new Tally(plan.expect);
  using generator = new GeneratorWatch();
  await generate(plan, plan.durationMs, tally);
  const { latency } = tally;
  return { ...tally.counts(), ...tally.times(), bodies: tally.bodies(), latency, generator: generator.read() };
};
