import type { LoadResult } from '../../load/load-plan.ts';
import type { LoadCounts } from '../../load/tally.ts';
import { latencyOf } from './latency.ts';
import type { Fidelity, LatencyHistogram, Metric, Place, Throughput } from './results.ts';

/** Where a load ran and what it was called; `name` tells the loads of one run apart. */
export type LoadLabel = { readonly name: string; readonly where: Place; readonly fidelity: Fidelity };

export type LoadRecord = {
  readonly metrics: readonly Metric[];
  readonly latency: LatencyHistogram;
  readonly throughput: Throughput;
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
};

/** Times are performance only where no emulator made them. */
export const timeKind = (fidelity: Fidelity): 'performance' | 'emulated' =>
  fidelity === 'emulated' || fidelity === 'counted' ? 'emulated' : 'performance';

/** The counts of a load in the order a table shows them, with the words for its head. */
export const loadCounts = {
  sent: 'sent',
  responses: 'responses',
  wrongStatus: 'wrong status',
  wrongBody: 'wrong body',
  errors: 'errors',
  timeouts: 'timeouts',
  unfinished: 'unfinished',
} as const satisfies Record<keyof LoadCounts, string>;

/** The figures of a load in the order a table shows them, with the words for its head. */
export const loadFigures = {
  'load.rate': 'responses per second',
  'load.cpu': 'CPU per request',
  'load.cpu.user': 'in user space',
  'load.cpu.system': 'in the kernel',
  'load.cpu.interrupts': 'interrupts, whole board',
  'load.cpu.ratio': 'CPU against loopback',
  'load.lateness.p99': 'send delay, p99',
  'load.generator.cpu': "generator's CPU",
  'load.generator.delay.p99': "generator's delay, p99",
} as const;

const counted = Object.keys(loadCounts) as readonly (keyof LoadCounts)[];

/** What a load counted, as `load.*` metrics with the dimension `load`, one sample each. */
export const countMetrics = (
  { name, where }: Pick<LoadLabel, 'name' | 'where'>,
  result: LoadCounts,
): readonly Metric[] =>
  counted.map((count) => ({
    name: `load.${count}`,
    unit: '1',
    kind: 'count',
    where,
    dimensions: { load: name },
    samples: [result[count]],
  }));

/** A load's result in the terms of the report: `load.*` metrics with the dimension `load`, one sample each. */
export const recordLoad = ({ name, where, fidelity }: LoadLabel, result: LoadResult): LoadRecord => {
  const kind = timeKind(fidelity);
  const dimensions = { load: name };
  const metric = (of: string, unit: Metric['unit'], sample: number, as: Metric['kind'] = kind): Metric => ({
    name: `load.${of}`,
    unit,
    kind: as,
    where,
    dimensions,
    samples: [sample],
  });
  const { latency, lateness, shed, generator } = result;
  return {
    metrics: [
      ...countMetrics({ name, where }, result),
      metric('rate', '1/s', result.rate),
      metric('seconds', 's', result.seconds),
      ...[50, 90, 99].map((p) => metric(`latency.p${p}`, 'us', latency.getValueAtPercentile(p))),
      ...(lateness ? [metric('lateness.p99', 'us', lateness.getValueAtPercentile(99))] : []),
      ...(shed === undefined ? [] : [metric('shed', '1', shed, 'count')]),
      metric('generator.cpu', '%', 100 * generator.cpuShare),
      metric('generator.delay.p99', 'us', generator.eventLoopDelayP99Us),
    ],
    latency: latencyOf(name, latency),
    throughput: { name, perSecond: [...result.perSecond] },
    notes: [
      ...(generator.bound
        ? [
            `load '${name}': the load generator was at its limit; the rate says what it could send, not what the service can answer`,
          ]
        : []),
      ...(shed
        ? [`load '${name}': ${shed} requests were due but not sent, because as many as allowed were under way`]
        : []),
    ],
  };
};
