import { runLoad } from '../../load/load.ts';
import { faults, type LoadPlan, type LoadResult } from '../../load/load-plan.ts';
import { loadProgram, runRemoteLoad } from '../../load/remote.ts';
import type { LoadCounts } from '../../load/tally.ts';
import type { Machine } from '../../machine/machine.ts';
import { histogramOf, latencyOf } from '../../report/model/latency.ts';
import { loadCounts, recordLoad, timeKind } from '../../report/model/load-record.ts';
import { LabError } from '../../system/errors.ts';
import type { Deadline } from '../../system/wait.ts';
import type { Capture } from '../board/capture.ts';
import { cpuPerRequest, cpuTicks } from '../board/cpu.ts';
import type { Observations } from '../observations.ts';
import type { Board, Lab, ScenarioOptions } from '../scenario.ts';
import type { ExecTarget } from '../targets/targets.ts';

const warmUpMs = 500;
const requestTimeoutMs = 5_000;
const programFile = '/var/lib/oakestra-lab/load.mjs';

/** Throws, blaming the product, when a load had anything but right answers: no delay can be the reason for wrong ones. */
export const judgeLoad = (name: string, result: LoadResult): void => {
  if (faults(result) === 0 && result.responses > 0) return;
  const counts = (Object.keys(loadCounts) as (keyof LoadCounts)[]).map((kind) => `${loadCounts[kind]} ${result[kind]}`);
  const conclusive = result.wrongStatus + result.wrongBody > 0;
  const message = `the load '${name}' was not answered as it should: ${counts.join(', ')}`;
  throw new LabError(message, { fault: 'product', conclusive });
};

/** A board that loads run on; its name, where there are several. */
type LoadBoard = Pick<Board, 'machine' | 'board'>;

/** Loads for a scenario: from the lab itself, or by a program that is put on the board once. Each puts off `limit`. */
export const createLoader = (
  boards: readonly [LoadBoard, ...LoadBoard[]],
  options: ScenarioOptions,
  observations: Observations,
  captures: readonly Capture[],
  limit: Deadline,
): Lab['load'] => {
  const installed = new Map<Machine, Promise<void>>();
  const boardOf = (target: { readonly board?: string | undefined } | undefined): LoadBoard =>
    boards.find(({ board }) => board === target?.board) ?? boards[0];
  const pause = captures.reduce(
    (inner, capture) => (work) => capture.pause(() => inner(work)),
    (work: () => Promise<LoadResult>) => work(),
  );
  const generate = async (plan: LoadPlan, machine: Machine, exec: ExecTarget['exec']): Promise<LoadResult> => {
    if (exec === undefined) return runLoad(plan);
    const there = installed.get(machine) ?? loadProgram().then((program) => machine.writeFile(programFile, program));
    installed.set(machine, there);
    await there;
    return runRemoteLoad(plan, (stdin, ends) => exec(['node', programFile], { stdin, signal: ends }));
  };
  return async (name, url, expected, how = {}) => {
    const { from, service, seconds = options.duration, connections = options.connections } = how;
    const { perSecond = options.rate, keepAlive = options.keepAlive ?? true } = how;
    const place = from?.place ?? 'lab';
    const { machine } = boardOf(from);
    const served = service === undefined ? machine : service.board.machine;
    const plan: LoadPlan = {
      url,
      connections,
      perSecond,
      durationMs: seconds * 1000,
      warmUpMs,
      timeoutMs: requestTimeoutMs * machine.timeoutFactor,
      expect: expected,
      keepAlive,
      signal: limit.signal,
    };
    limit.extend(plan.warmUpMs + plan.durationMs);
    const native = timeKind(machine.fidelity) === 'performance';
    const task = native ? service?.task : undefined;
    const before = task === undefined ? undefined : await cpuTicks(served, task);
    const result = await pause(() => generate(plan, machine, from?.exec));
    const record = recordLoad({ name, where: place, fidelity: machine.fidelity }, result);
    observations.metrics.push(...record.metrics);
    let cpu: number | undefined;
    if (before !== undefined && task !== undefined) {
      // warm-up included, as in the time: it is as much work a request as the rest
      const requests = result.responses * ((plan.durationMs + warmUpMs) / plan.durationMs);
      const spent = cpuPerRequest(before, await cpuTicks(served, task), requests);
      cpu = spent.find(({ name }) => name === 'load.cpu')?.samples[0];
      for (const metric of spent)
        observations.metrics.push({
          ...metric,
          samples: [...metric.samples],
          kind: 'performance',
          where: 'board',
          dimensions: { load: name },
        });
    }
    const again = observations.latencies.findIndex((latency) => latency.name === name);
    const known = observations.latencies[again];
    if (known) {
      const joined = histogramOf(known);
      joined.add(result.latency);
      observations.latencies[again] = latencyOf(name, joined);
    } else {
      observations.latencies.push(record.latency);
      observations.throughput.push(record.throughput);
    }
    observations.notes.push(...record.notes.filter((note) => !observations.notes.includes(note)));
    if (expected.body === undefined && result.bodies)
      observations.notes.push(
        `the load '${name}' accepted any body: they had ${result.bodies.least} to ${result.bodies.most} bytes`,
      );
    if (!how.mayFail) judgeLoad(name, result);
    return { ...result, cpu };
  };
};
