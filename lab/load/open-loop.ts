import http from 'node:http';
import type { Histogram } from 'hdr-histogram-js';
import { GeneratorWatch } from './generator.ts';
import type { LoadPlan, LoadResult } from './load-plan.ts';
import { sendRequest } from './request.ts';
import { microseconds, recordMs, Tally } from './tally.ts';

export type OpenLoopPlan = LoadPlan & { readonly perSecond: number };
export type OpenLoopResult = Required<LoadResult>;

type Schedule = { shed: number; readonly lateness: Histogram };

/** Sends request i at start + i / perSecond and returns when the last one is settled. */
const follow = async (plan: OpenLoopPlan, ms: number, tally: Tally): Promise<Schedule> => {
  const { url, perSecond, connections, timeoutMs, signal } = plan;
  signal.throwIfAborted();
  const agent = plan.keepAlive && new http.Agent({ keepAlive: true, maxSockets: connections });
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
    void sendRequest(url, agent, timeoutMs, intended, tally, signal).then(settled);
  };
  const tick = () => {
    for (; due < total && start + due * gap <= performance.now(); due += 1) {
      if (inFlight < connections) send(start + due * gap);
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
    if (agent) agent.destroy();
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
  const { latency } = tally;
  const counted = { ...tally.counts(), ...tally.times(), bodies: tally.bodies() };
  return { ...counted, latency, generator: generator.read(), ...schedule };
};
