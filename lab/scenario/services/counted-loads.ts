import { countedPlan, runCountedLoad } from '../../load/counted.ts';
import type { LoadResult } from '../../load/load-plan.ts';
import { microseconds, recordMs } from '../../load/tally.ts';
import { labFolder } from '../../machine/deterministic/layout.ts';
import type { Machine } from '../../machine/machine.ts';
import { requestMetrics } from '../../report/model/counted.ts';
import { countMetrics } from '../../report/model/load-record.ts';
import { LabError } from '../../system/errors.ts';
import { runProgram } from '../../system/process.ts';
import type { Observations } from '../observations.ts';
import type { Lab, LoadOptions, ScenarioOptions } from '../scenario.ts';
import { judgeLoad } from './loads.ts';

/**
 * How often a service is asked, and before that without counting: until then caches fill, and V8 compiles the client. A
 * client that is asked for less before it is counted takes two to three times as much, and scatters.
 */
const [requests, warmUp] = [200, 1000];

/** Node for the client: code compiled in another thread would be ready at another time with every seed. */
const node = ['node', '--single-threaded'];

/** The client's file in the guest. */
export const clientFile = `${labFolder}/client.cjs`;

/** Starts a program on the lab's side, in the network namespace of this process. */
const inLab: Machine['exec'] = async (argv, { stdin, signal } = {}) => {
  const env = { PATH: process.env['PATH'] ?? '' };
  const { code, stdout, stderr } = await runProgram(argv, { env, stdin, signal });
  return { code, stdout: stdout.toString(), stderr: stderr.toString() };
};

/** What a load asks for that a count of requests one after the other cannot give; undefined when it can. */
const notCounted = (
  { perSecond, keepAlive }: LoadOptions,
  { rate, keepAlive: kept }: ScenarioOptions,
): string | undefined => {
  if ((perSecond ?? rate) !== undefined) return 'a load on a schedule';
  return (keepAlive ?? kept) === false ? 'a new connection for every request' : undefined;
};

const part = (whole: number, of: number): string => `${((100 * whole) / of).toFixed(1)} %`;

/**
 * Loads where instructions are counted: requests one after the other, by a client that does as little as it can. For how
 * long and with how many connections a scenario wants a load is of no account.
 */
export const createCountedLoader =
  (options: ScenarioOptions, { metrics, notes }: Observations, signal: AbortSignal): Lab['load'] =>
  async (name, url, expected, how = {}) => {
    const unable = notCounted(how, options);
    if (unable !== undefined)
      throw new LabError(`${unable} cannot be counted: leave out --deterministic`, { fault: 'incomplete' });
    const { from } = how;
    const run = from?.exec ?? inLab;
    const where = from?.place ?? 'lab';
    const counted = await runCountedLoad(countedPlan(url, expected, { requests, warmUp }), (stdin) =>
      run([...node, clientFile], { stdin, signal }),
    );
    const { took, instructions, client, wrongStatus, wrongBody } = counted;
    const clock = took.reduce((sum, ns) => sum + ns, 0);
    const latency = microseconds();
    for (const ns of took) recordMs(latency, ns / 1e6);
    const result: LoadResult = {
      ...{ sent: took.length, responses: took.length, wrongStatus, wrongBody, errors: 0, timeouts: 0, unfinished: 0 },
      ...{ seconds: clock / 1e9, rate: (took.length * 1e9) / clock, perSecond: [], latency },
      generator: { cpuShare: client / clock, eventLoopDelayP99Us: 0, bound: false },
    };
    metrics.push(...countMetrics({ name, where }, result), ...requestMetrics(name, where, counted));
    // the clock goes on while everybody waits for a timer: a request is then no longer counted by it
    if (clock > 1.01 * instructions)
      notes.push(
        `the load '${name}' waited ${part(clock - instructions, clock)} of its time: its figures have that in them`,
      );
    if (!how.mayFail) judgeLoad(name, result);
    return { ...result, cpu: undefined };
  };
