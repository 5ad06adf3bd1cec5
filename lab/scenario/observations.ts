import type { FirstAnswer, Input, LatencyHistogram, Metric, Throughput } from '../report/model/results.ts';

/** What a scenario finds for the report, apart from how its steps ended. */
export type Observations = {
  readonly metrics: Metric[];
  readonly latencies: LatencyHistogram[];
  readonly throughput: Throughput[];
  readonly notes: string[];
  /** Components that were deployed, each once. */
  readonly components: Input[];
  firstAnswer: FirstAnswer | undefined;
};

export const noObservations = (): Observations => ({
  metrics: [],
  latencies: [],
  throughput: [],
  notes: [],
  components: [],
  firstAnswer: undefined,
});
