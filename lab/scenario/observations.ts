import type { FirstAnswer, Input, LatencyHistogram, Metric, Run, Throughput } from '../report/model/results.ts';

/** What a scenario finds for the report, apart from how its steps ended. */
export type Observations = {
  readonly metrics: Metric[];
  readonly latencies: LatencyHistogram[];
  readonly throughput: Throughput[];
  readonly notes: string[];
  /** Components that were deployed, each once. */
  readonly components: Input[];
  condition: Run['condition'];
  firstAnswer: FirstAnswer | undefined;
  topology: Run['topology'];
};

export const noObservations = (): Observations => ({
  metrics: [],
  latencies: [],
  throughput: [],
  notes: [],
  components: [],
  condition: undefined,
  firstAnswer: undefined,
  topology: undefined,
});
