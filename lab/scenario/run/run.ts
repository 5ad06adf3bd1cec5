import type { MachineKind, Prepared } from '../../machine/kind.ts';
import type { Segment } from '../../machine/segment/segment.ts';
import type { ExtraFile } from '../../report/folder.ts';
import { worstVerdict } from '../../report/model/replicates.ts';
import type { Results, Verdict } from '../../report/model/results.ts';
import { LabError } from '../../system/errors.ts';
import { openRun } from '../../system/runs.ts';
import { StallWatch } from '../../system/stalls.ts';
import { extendableDeadline } from '../../system/wait.ts';
import { afterRun } from '../board/condition.ts';
import type { RunBoard } from '../board/run-board.ts';
import { noObservations } from '../observations.ts';
import type { Log, RunOptions } from '../options.ts';
import type { Scenario } from '../scenario.ts';
import type { Emit, LabEvent } from '../targets/events.ts';
import type { ExecTarget } from '../targets/targets.ts';
import { blamingLab, boardNames, bootBoards } from './boards.ts';
import { collectLogs, collectPackets, type Recording } from './collect.ts';
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

const labOnly: Pick<ExecTarget, 'place'> = { place: 'lab' };

const endOf = (failure: unknown): Verdict => {
  if (failure === undefined) return 'passed';
  if (failure instanceof StepFailed) return failure.verdict;
  return failure instanceof LabError && failure.fault === 'incomplete' ? 'incomplete' : 'error';
};

/** A step that failed counts even where the scenario went on. */
const verdictOf = (failure: unknown, { done }: Steps): Verdict =>
  worstVerdict([endOf(failure), ...done.map(({ verdict }) => verdict)]);

/** Why a scenario cannot run on a kind of machine, as the end of a sentence; undefined when it can. */
export const unableReason = (
  { requires, machines = 1 }: Pick<Scenario, 'requires' | 'machines'>,
  { capabilities, alone }: MachineKind,
): string | undefined => {
  const missing = requires.filter((need) => !capabilities.has(need));
  if (missing.length > 0) return `, which has no ${missing.join(', no ')}`;
  return machines > 1 && alone !== undefined ? `: it takes ${machines} boards, and ${alone}` : undefined;
};

/**
 * Runs one scenario from nothing to its results: prepares and boots the machine, starts the worker, goes through the
 * steps, and takes everything down again in reverse. Whatever goes wrong is in the results; only a machine that cannot
 * run the scenario at all is thrown, as incomplete.
 */
export const runScenario = async (options: RunOptions): Promise<Outcome> => {
  const { scenario, kind } = options;
  const unable = unableReason(scenario, kind);
  if (unable !== undefined)
    throw new LabError(`${options.name} cannot run on ${kind.name}${unable}`, { fault: 'incomplete' });
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
  const boards: RunBoard[] = [];
  let kept = false;
  let segment: Segment | undefined;
  let prepared: Prepared | undefined;
  let recordings: readonly Recording[] = [];
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
      const names = boardNames(scenario.machines);
      const booted = (board: RunBoard) => {
        boards.push(board);
        boards.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
      };
      const { signal } = options;
      const booting = { prepared: built, run, steps, note, stack, isKept: () => kept, booted, signal };
      segment = await bootBoards(booting, names);
      const factor = Math.max(...boards.map(({ machine }) => machine.timeoutFactor));
      const losses = [...boards.map(({ lost }) => lost), segment?.lost];
      const limit = extendableDeadline((scenario.seconds ?? 120) * 1000 * factor, 'the scenario', signal, ...losses);
      await executeScenario({ options, boards, segment, steps, findings, emit, note, stack, limit });
    } catch (error) {
      failure = await attributeMachineLoss(error, steps, boards, options.signal);
    }
    // on a machine that stays, nothing of the lab's goes on
    if (options.keep || verdictOf(failure, steps) === 'failed')
      recordings = await collectPackets(boards, findings.notes);
    logs = (await Promise.all(boards.map(collectLogs))).flat();
    for (const board of boards) board.condition = await afterRun(board.machine, board.condition);
    if (options.keep && boards.length > 0 && !options.signal.aborted) {
      for (const { machine } of boards) machine.release();
      segment?.release();
      await run.keep();
      kept = true;
    }
  }
  const { cause } = failure instanceof StepFailed ? failure : {};
  if (cause instanceof LabError && cause.fault === 'usage') throw cause;
  logs = [
    ...logs,
    { name: 'transcript.log', content: transcript(events) },
    ...recordings.map(({ file, lines }) => ({ name: file.replace(/\.pcap$/, '.log'), content: lines.join('\n') })),
  ];
  const verdict = verdictOf(failure, steps);
  emit({ kind: 'run-ended', verdict });
  const seconds = (performance.now() - start) / 1000;
  const results = await describe({
    ...{ options, id: run.id, started, seconds, verdict, steps, findings, boards, failure, recordings, logs },
    unlocked: prepared?.unlocked ?? [],
  });
  const stream = events.map((event) => JSON.stringify(event)).join('\n');
  return {
    results,
    kept,
    files: [
      ...logs,
      ...recordings.map(({ file, pcap }) => ({ name: file, content: pcap })),
      { name: 'events.ndjson', content: `${stream}\n` },
    ],
  };
};
