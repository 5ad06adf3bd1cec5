import type { MachineKind } from '../../machine/kind.ts';
import type { ExtraFile } from '../../report/folder.ts';
import { worstVerdict } from '../../report/model/replicates.ts';
import type { Results, Verdict } from '../../report/model/results.ts';
import { LabError } from '../../system/errors.ts';
import { StallWatch } from '../../system/stalls.ts';
import type { Log, RunOptions } from '../options.ts';
import type { Scenario } from '../scenario.ts';
import { RunBoards } from './boards.ts';
import { boot } from './boot.ts';
import { collect } from './collect.ts';
import { describe, type RunEnd } from './describe.ts';
import { executeScenario } from './execute.ts';
import { attributeMachineLoss } from './machine-loss.ts';
import { openContext, type RunContext } from './run-context.ts';
import { StepFailed, type Steps } from './steps.ts';
import { transcript } from './transcript.ts';

/** A run's results, and the logs that belong to its report. */
export type Outcome = {
  readonly results: Results;
  readonly files: readonly ExtraFile[];
  /** The machine was left running. */
  readonly kept: boolean;
};

const endOf = (failure: unknown): Verdict => {
  if (failure === undefined) return 'passed';
  if (failure instanceof StepFailed) return failure.verdict;
  return failure instanceof LabError && failure.fault === 'incomplete' ? 'incomplete' : 'error';
};

/** A step that failed counts even where the scenario went on. */
const verdictOf = (failure: unknown, { done }: Steps): Verdict =>
  worstVerdict([endOf(failure), ...done.map(({ verdict }) => verdict)]);

/**
 * Why a scenario cannot run on a kind of machine, with another NetManager or without, as the end of a sentence; undefined
 * when it can.
 */
export const reasonNotRunnable = (
  { requires, machines = 1, otherNetManager }: Pick<Scenario, 'requires' | 'machines' | 'otherNetManager'>,
  { capabilities, alone }: MachineKind,
  hasNetManager = false,
): string | undefined => {
  const missing = requires.filter((need) => !capabilities.has(need));
  if (missing.length > 0) return `, which has no ${missing.join(', no ')}`;
  if (machines > 1 && alone !== undefined) return `: it takes ${machines} boards, and ${alone}`;
  return otherNetManager && !hasNetManager
    ? ' by itself: its second board takes another NetManager, by --net-manager FILE'
    : undefined;
};

/** Boots and executes. Resolves with what ended that early; undefined when nothing did. */
const bootAndExecute = async (
  context: RunContext,
  boards: RunBoards,
  stack: AsyncDisposableStack,
): Promise<unknown> => {
  try {
    await boot(context, boards);
    await executeScenario(context, boards, stack);
    return undefined;
  } catch (error) {
    return await attributeMachineLoss(error, context.steps, boards.booted, context.options.signal);
  }
};

/** Boots, executes and collects. When it resolves everything has ended, except boards that are kept. */
const perform = async (context: RunContext): Promise<RunEnd & { readonly kept: boolean }> => {
  const { options, steps } = context;
  await using run = context.run;
  await using boards = new RunBoards();
  await using stack = new AsyncDisposableStack();
  const failure = await bootAndExecute(context, boards, stack);
  const verdict = verdictOf(failure, steps);
  // on a machine that stays, nothing of the lab's goes on
  const collected = await collect(context, boards.booted, options.keep || verdict === 'failed');
  const kept = options.keep && boards.booted.length > 0 && !options.signal.aborted;
  if (kept) {
    boards.release();
    await run.keep();
  }
  return { ...collected, boards: boards.booted, unlocked: boards.unlocked, failure, verdict, kept };
};

/** The logs of a run by the names of their files: those of its boards, its transcript, and its packets as text. */
const allLogs = ({ logs, recordings }: RunEnd, { events }: RunContext): readonly Log[] => [
  ...logs,
  { name: 'transcript.log', content: transcript(events) },
  ...recordings.map(({ file, lines }) => ({ name: file.replace(/\.pcap$/, '.log'), content: lines.join('\n') })),
];

/**
 * Runs one scenario from nothing to its results: boots the machine and starts the worker, executes the steps, collects
 * what the boards wrote, ends everything in reverse, and describes the run. Whatever goes wrong is in the results; only
 * a machine that cannot run the scenario at all is thrown, as incomplete, and what the user asked wrongly.
 */
export const runScenario = async (options: RunOptions): Promise<Outcome> => {
  const { scenario, kind, name, netManager } = options;
  const unable = reasonNotRunnable(scenario, kind, netManager !== undefined);
  if (unable !== undefined) throw new LabError(`${name} cannot run on ${kind.name}${unable}`, { fault: 'incomplete' });
  using stalls = new StallWatch();
  const context = await openContext(options, stalls);
  const { kept, ...end } = await perform(context);
  const { cause } = end.failure instanceof StepFailed ? end.failure : {};
  if (cause instanceof LabError && cause.fault === 'usage') throw cause;
  const logs = allLogs(end, context);
  context.emit({ kind: 'run-ended', verdict: end.verdict });
  const results = await describe(context, { ...end, logs });
  const stream = context.events.map((event) => JSON.stringify(event)).join('\n');
  return {
    results,
    kept,
    files: [
      ...logs,
      ...end.recordings.map(({ file, pcap }) => ({ name: file, content: pcap })),
      { name: 'events.ndjson', content: `${stream}\n` },
    ],
  };
};
