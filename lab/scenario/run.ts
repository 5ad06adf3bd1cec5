import { startCluster } from '../cluster/cluster.ts';
import type { Machine } from '../machine/machine.ts';
import type { Prepared } from '../machine/machines.ts';
import type { Results, Verdict } from '../report/results.ts';
import { LabError, labFault } from '../system/errors.ts';
import { openRun } from '../system/runs.ts';
import { abortable, deadline } from '../system/wait.ts';
import { makeLab } from './context.ts';
import { describe } from './describe.ts';
import type { Emit, LabEvent } from './events.ts';
import { noFindings } from './findings.ts';
import type { Log, RunOptions } from './options.ts';
import type { Where } from './places.ts';
import { StepFailed, Steps } from './steps.ts';
import { transcript } from './transcript.ts';
import { putCompiled, startWorker, workerLogs } from './worker.ts';

const setUpMs = 60_000;
const progressMs = 250;
const logsMs = 60_000;

/** A run's results, and the logs that belong to its report. */
export type Outcome = {
  readonly results: Results;
  readonly files: readonly Log[];
};

/** Passes on what is said, but not more often than a person can read. */
const seldom = (say: (text: string) => void): ((text: string) => void) => {
  let last = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (performance.now() - last < progressMs) return;
    last = performance.now();
    say(text);
  };
};

const boardOnly: Pick<Where, 'place'> = { place: 'board' };
const labOnly: Pick<Where, 'place'> = { place: 'lab' };

const verdictOf = (failure: unknown): Verdict => {
  if (failure === undefined) return 'passed';
  return failure instanceof StepFailed ? failure.verdict : 'error';
};

/** Before there is a worker, whatever goes wrong is the lab's own fault. */
const blamingLab = <T>(what: string, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw error instanceof LabError ? error : labFault(`the machine could not be ${what}`, [], error);
  });

const collectLogs = async (machine: Machine): Promise<readonly Log[]> => {
  const board = machine.gone.aborted
    ? []
    : await abortable(workerLogs(machine), AbortSignal.timeout(logsMs)).catch(() => []);
  const own = await Promise.all(machine.logs.map(async ({ name, read }) => ({ name, text: await read() })));
  return [...board, ...own].map(({ name, text }) => ({
    name: name.endsWith('.log') ? name : `${name}.log`,
    content: text,
  }));
};

/**
 * Runs one scenario from nothing to its results: prepares and boots the machine, starts the worker, goes through the
 * steps, and takes everything down again in reverse. Whatever goes wrong is in the results; only a machine that cannot
 * run the scenario at all is thrown, as incomplete.
 */
export const runScenario = async (options: RunOptions): Promise<Outcome> => {
  const { scenario, kind, app } = options;
  const missing = scenario.needs.filter((need) => !kind.capabilities.has(need));
  if (missing.length > 0)
    throw new LabError(`${options.name} cannot run on ${kind.name}, which has no ${missing.join(', no ')}`, {
      fault: 'incomplete',
    });
  const start = performance.now();
  const started = new Date();
  const events: LabEvent[] = [];
  const emit: Emit = (event) => {
    const entry: LabEvent = { ...event, ms: Math.round(performance.now() - start) };
    events.push(entry);
    options.onEvent(entry);
  };
  const steps = new Steps(emit, start, options.until);
  const findings = noFindings();
  let machine: Machine | undefined;
  let prepared: Prepared | undefined;
  let failure: unknown;
  let logs: readonly Log[] = [];
  const run = await openRun(`${options.name} on ${kind.name}`);
  emit({ kind: 'run-started', id: run.id, scenario: options.name, machine: kind.name });
  {
    await using stack = new AsyncDisposableStack();
    stack.use(run);
    try {
      const built = await steps.run('prepare the machine', labOnly, options.signal, ({ signal }) =>
        blamingLab(
          'prepared',
          kind.prepare(
            options.machine,
            seldom((text) => emit({ kind: 'progress', text })),
            signal,
          ),
        ),
      );
      prepared = built;
      const board = await steps.run('boot the board', boardOnly, options.signal, ({ signal }) =>
        blamingLab('started', built.start(run, signal)),
      );
      machine = options.keep ? board : stack.use(board);
      const limit = ((scenario.seconds ?? 120) * 1000 + options.options.duration * 1000) * board.slowness;
      const signal = deadline(limit, 'the scenario', options.signal, board.gone);
      const cluster = stack.use(
        await startCluster({
          listen: board.uplink.bind,
          advertise: board.uplink.lab,
          subnet: { address: scenario.network.subnet, addressv6: scenario.network.subnet6 ?? 'fd00::' },
          onMessage: (message) => emit({ kind: 'cluster-message', message }),
          signal,
        }),
      );
      await steps.run('start the worker', boardOnly, signal, async () => {
        const [compiled] = await Promise.all([
          putCompiled(board, app, built.wasmtimeVersion, signal),
          startWorker(board, cluster, scenario.network, deadline(setUpMs * board.slowness, 'the worker', signal)),
        ]);
        if (compiled !== undefined) findings.notes.push(compiled);
      });
      await scenario.run(
        makeLab({
          ...{ machine: board, cluster, app, network: scenario.network, options: options.options },
          ...{ steps, findings, emit, stack, signal, wasmtimeVersion: built.wasmtimeVersion },
        }),
      );
      await steps.run('the worker kept to the contract', labOnly, signal, async ({ expect }) => {
        const problems = cluster.violations.map(({ topic, problem }) => `${topic}: ${problem}`);
        expect.equal('departures from the contract', problems, []);
      });
    } catch (error) {
      failure = error;
    }
    if (machine) logs = await collectLogs(machine);
    if (options.keep && machine && !options.signal.aborted) {
      machine.release();
      await run.keep();
    }
  }
  logs = [...logs, { name: 'transcript.log', content: transcript(events) }];
  const verdict = verdictOf(failure);
  emit({ kind: 'run-ended', verdict });
  const seconds = (performance.now() - start) / 1000;
  const results = await describe({
    ...{ options, id: run.id, started, seconds, verdict, steps, findings, machine, failure, logs },
    unlocked: prepared?.unlocked ?? [],
  });
  const stream = events.map((event) => JSON.stringify(event)).join('\n');
  return { results, files: [...logs, { name: 'events.ndjson', content: `${stream}\n` }] };
};
