import type { Histogram } from 'hdr-histogram-js';
import type { GeneratorUse } from './generator.ts';
import type { BodySizes, Expected, LoadCounts, LoadTimes } from './tally.ts';

/** GET requests: in a closed loop, or on a fixed schedule where `perSecond` says so. */
export type LoadPlan = {
  readonly url: string;
  /** Of a closed loop; on a schedule, how many requests may be under way at once. */
  readonly connections: number;
  /** Requests that leave a second, whatever the answers do. */
  readonly perSecond?: number | undefined;
  readonly durationMs: number;
  /** Load before the measurement, not counted anywhere; 0 for none. */
  readonly warmUpMs: number;
  /** How long one response may take; 1000 or more with kept connections. */
  readonly timeoutMs: number;
  readonly expect: Expected;
  /** False: a new connection for every request. */
  readonly keepAlive: boolean;
  readonly signal: AbortSignal;
};

export type LoadResult = LoadCounts &
  LoadTimes & {
    /** Latency of every response in microseconds. */
    readonly latency: Histogram;
    readonly generator: GeneratorUse;
    /** Of the bodies that came; undefined when none did. */
    readonly bodies?: BodySizes | undefined;
    /** On a schedule: requests that were due but not sent because too many were under way. */
    readonly shed?: number;
    /** On a schedule: how late requests left, in microseconds: the generator's own honesty. */
    readonly lateness?: Histogram;
  };

/** Everything that went wrong in a load; 0 for a clean one. */
export const faults = ({ wrongStatus, wrongBody, errors, timeouts }: LoadCounts): number =>
  wrongStatus + wrongBody + errors + timeouts;
