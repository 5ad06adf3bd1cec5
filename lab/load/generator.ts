import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How busy the process that made the load was: near its limit, it measured itself. */
export type GeneratorUse = {
  /** CPU time of this process over wall time, 1 = one core. */
  readonly cpuShare: number;
  /** How late timers of this process fired, 99th percentile in microseconds. */
  readonly eventLoopDelayP99Us: number;
  /** True when the generator was the limit: its one thread of JavaScript was busy 90 % of the time or more. */
  readonly bound: boolean;
};

const resolutionMs = 1;
const boundUtilization = 0.9;

/** Watches this process from now until {@link GeneratorWatch.read}; disposing of it ends the watch. */
export class GeneratorWatch implements Disposable {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #cpu = process.cpuUsage();
  readonly #loop = performance.eventLoopUtilization();
  readonly #start = performance.now();

  constructor() {
    this.#delay.enable();
  }

  read(): GeneratorUse {
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsedUs = (performance.now() - this.#start) * 1000;
    // Node's histogram holds the time between two firings of its timer, the interval itself included.
    const late = this.#delay.count === 0 ? 0 : this.#delay.percentile(99) / 1000 - resolutionMs * 1000;
    return {
      cpuShare: (user + system) / elapsedUs,
      eventLoopDelayP99Us: Math.max(0, Math.round(late)),
      bound: performance.eventLoopUtilization(this.#loop).utilization >= boundUtilization,
    };
  }

  [Symbol.dispose](): void {
    this.#delay.disable();
  }
}
