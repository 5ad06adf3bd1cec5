import type { Machine } from '../../machine/machine.ts';
import type { Prepared } from '../../machine/machines.ts';
import type { ExtraFile } from '../../report/folder.ts';
import { worstVerdict } from '../../report/model/replicates.ts';
import type { Results, Verdict } from '../../report/model/results.ts';
import { LabError, labFault } from '../../system/errors.ts';
import { openRun } from '../../system/runs.ts';
import { StallWatch } from '../../system/stalls.ts';
import { extendableDeadline } from '../../system/wait.ts';
import { type Capture, type Packets, packetCapture, packetsFile } from '../board/capture.ts';
import { afterRun, beforeRun } from '../board/condition.ts';
import { noObservations } from '../observations.ts';
import type { Log, RunOptions } from '../options.ts';
import type { Emit, LabEvent } from '../targets/events.ts';
import type { ExecTarget } from '../targets/targets.ts';
import { collectLogs, collectPackets } from './collect.ts';
import { describe } from './describe.ts';
import { executeScenario } from './execute.ts';
import { attributeMachineLoss } from './machine-loss.ts';
import { StepFailed, Steps } from './steps.ts';
import { transcript } from './transcript.ts';

const progressMs = 250;

/** A run's results, and the logs that belong to its report. */
export type Outcome = {
  readonly results: Results;
  readonly files: readonly ExtraFile[];
  /** The machine was left running. */
  readonly kept: boolean;
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

const boardOnly: Pick<ExecTarget, 'place'> = { place: 'board' };
const labOnly: Pick<ExecTarget, 'place'> = { place: 'lab' };

/** A step that failed counts even where the scenario went on. */
const verdictOf = (failure: unknown, { done }: Steps): Verdict => {
  const end = failure === undefined ? 'passed' : failure instanceof StepFailed ? failure.verdict : 'error';
  return worstVerdict([end, ...done.map(({ verdict }) => verdict)]);
};

/** Before there is a worker, whatever goes wrong is the lab's own fault. */
const blamingLab = <T>(what: string, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw error instanceof LabError ? error : labFault(`the machine could not be ${what}`, [], error);
  });

/**
 * Runs one scenario from nothing to its results: prepares and boots the machine, starts the worker, goes through the
 * steps, and takes everything down again in reverse. Whatever goes wrong is in the results; only a machine that cannot
 * run the scenario at all is thrown, as incomplete.
 */
export const runScenario = async (options: RunOptions): Promise<Outcome> => {
  const { scenario, kind } = options;
  const missing = scenario.requires.filter((need) => !kind.capabilities.has(need));
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
  using stalls = new StallWatch();
  const steps = new Steps(emit, start, (from, to) => stalls.between(from, to), options.until);
  const findings = noObservations();
  const note = (text: string) => {
    if (findings.notes.includes(text)) return;
    findings.notes.push(text);
    emit({ kind: 'note', text });
  };
  let machine: Machine | undefined;
  let kept = false;
  let prepared: Prepared | undefined;
  let capture: Capture | undefined;
  let packets: Packets | undefined;
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
      const board = await steps.run('boot the board', boardOnly, options.signal, ({ signal }) => {
        const starting = blamingLab('started', built.start(run, signal, note));
        // also when this step ends before the machine stands
        stack.defer(async () => {
          const started = await starting.catch(() => undefined);
          if (!kept) await started?.[Symbol.asyncDispose]();
        });
        return starting;
      });
      machine = board;
      findings.condition = await beforeRun(board);
      const ms = (scenario.seconds ?? 120) * 1000 * board.timeoutFactor;
      const limit = extendableDeadline(ms, 'the scenario', options.signal, board.lost);
      capture = packetCapture(board, limit.signal);
      await executeScenario({ options, board, capture, steps, findings, emit, note, stack, limit });
    } catch (error) {
      failure = machine ? await attributeMachineLoss(error, steps, machine, options.signal) : error;
    }
    // on a machine that stays, nothing of the lab's goes on
    if (capture && (options.keep || verdictOf(failure, steps) === 'failed'))
      packets = await collectPackets(capture, findings.notes);
    if (machine) logs = await collectLogs(machine);
    if (machine) findings.condition = await afterRun(machine, findings.condition);
    if (options.keep && machine && !options.signal.aborted) {
      machine.release();
      await run.keep();
      kept = true;
    }
  }
  const { cause } = failure instanceof StepFailed ? failure : {};
  if (cause instanceof LabError && cause.fault === 'usage') throw cause;
  logs = [
    ...logs,
    { name: 'transcript.log', content: transcript(events) },
    ...(packets ? [{ name: 'packets.log', content: packets.lines.join('\n') }] : []),
  ];
  const verdict = verdictOf(failure, steps);
  emit({ kind: 'run-ended', verdict });
  const seconds = (performance.now() - start) / 1000;
  const results = await describe({
    ...{ options, id: run.id, started, seconds, verdict, steps, findings, machine, failure, packets, logs },
    unlocked: prepared?.unlocked ?? [],
  });
  const stream = events.map((event) => JSON.stringify(event)).join('\n');
  return {
    results,
    kept,
    files: [
      ...logs,
      ...(packets ? [{ name: packetsFile, content: packets.pcap }] : []),
      { name: 'events.ndjson', content: `${stream}\n` },
    ],
  };
};
