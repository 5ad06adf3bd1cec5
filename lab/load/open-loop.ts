import http from 'node:http';
import type { Histogram } from 'hdr-histogram-js';
import { GeneratorWatch } from './generator.ts';
import type { LoadPlan, LoadResult } from './load.ts';
import { ask } from './request.ts';
import { microseconds, recordMs, Tally } from './tally.ts';

/** Requests on a fixed schedule over kept connections, whatever the answers do. */
export type OpenLoopPlan = Omit<LoadPlan, 'connections' | 'keepAlive'> & {
  /** Requests that leave a second. */
  readonly perSecond: number;
  /** Requests that may be under way at once; what the schedule asks for beyond that is shed. */
  readonly maxInFlight: number;
};

export type OpenLoopResult = LoadResult & {
  /** Requests that were due but not sent because too many were under way. */
  readonly shed: number;
  /** How late requests left against the schedule, in microseconds: the generator's own honesty. */
  readonly lateness: Histogram;
};

type Schedule = { shed: number; readonly lateness: Histogram };

/** Sends request i at start + i / perSecond and returns when the last one is settled. */
const follow = async (plan: OpenLoopPlan, ms: number, tally: Tally): Promise<Schedule> => {
  const { url, perSecond, maxInFlight, timeoutMs, signal } = plan;
  signal.throwIfAborted();
  const agent = new http.Agent({ keepAlive: true, maxSockets: maxInFlight });
  const gap = 1000 / perSecond;
  const total = Math.round((perSecond * ms) / 1000);
  const schedule: Schedule = { shed: 0, lateness: microseconds() };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const start = performance.now() + gap;
  let due = 0;
  let inFlight = 0;
  let timer: NodeJS.Timeout | undefined;

  const settled = () => {
    inFlight -= 1;
    if (inFlight === 0 && due === total) resolve();
  };
  const send = (intended: number) => {
    recordMs(schedule.lateness, performance.now() - intended);
    inFlight += 1;
    void ask(url, agent, timeoutMs, intended, tally, signal).then(settled);
  };
  const tick = () => {
    for (; due < total && start + due * gap <= performance.now(); due += 1) {
      if (inFlight < maxInFlight) send(start + due * gap);
      else schedule.shed += 1;
    }
    if (due < total) timer = setTimeout(tick, Math.max(0, start + due * gap - performance.now()));
    else if (inFlight === 0) resolve();
  };
  const stop = () => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    tick();
    await promise;
    return schedule;
  } finally {
    signal.removeEventListener('abort', stop);
    agent.destroy();
  }
};

/**
 * Loads a service at a fixed arrival rate. A response's latency runs from the moment its request was due, so that a
 * server that stalls shows in every request that should have left meanwhile (no coordinated omission). Throws only
 * the signal's reason, at once when it aborts.
 */
export const runOpenLoop = async (plan: OpenLoopPlan): Promise<OpenLoopResult> => {
  if (plan.warmUpMs > 0) await follow(plan, plan.warmUpMs, new Tally(plan.expect));
  const tally = new Tally(plan.expect);
  using generator = new GeneratorWatch();
  const schedule = await follow(plan, plan.durationMs, tally);
  return { ...tally.counts(), ...tally.times(), latency: tally.latency, generator: generator.read(), ...schedule };
};
