import { joinReplicates } from '../../report/model/metrics.ts';
import { notStarted, type Results, type Run, resultsVersion, type Verdict } from '../../report/model/results.ts';
import { messageOf } from '../../system/errors.ts';
import { commandLine } from '../../system/quote.ts';
import type { RunBoard } from '../board/run-board.ts';
import type { Log, RunOptions } from '../options.ts';
import { netManagerInput } from '../services/net-manager.ts';
import type { Collected } from './collect.ts';
import { host, revision } from './provenance.ts';
import type { RunContext } from './run-context.ts';
import { StepFailed } from './steps.ts';

const logLines = 15;
const packetLines = 12;

/**
 * The end of the log that tells most about a failure: the instance's own, else the engine's, else the console's. Of
 * several boards the names of their logs begin with `prefix`.
 */
const tellingLog = (logs: readonly Log[], prefix: string) => {
  const order = ['apps-', 'NodeEngine', 'NetManager', 'console'];
  const log = order
    .map((start) => logs.find(({ name, content }) => name.startsWith(prefix + start) && content.trim() !== ''))
    .find((found) => found !== undefined);
  return log && { name: log.name, lines: log.content.trimEnd().split('\n').slice(-logLines) };
};

/** How a run ended, and what is left of its boards. */
export type RunEnd = Collected & {
  readonly boards: readonly RunBoard[];
  readonly unlocked: readonly string[];
  /** What ended the scenario early; undefined when nothing did. */
  readonly failure: unknown;
  readonly verdict: Verdict;
};

/** The commands that lead to where a step failed. */
const lookFurther = (
  failure: unknown,
  boards: readonly RunBoard[],
  { keep, command, kind }: RunOptions,
): readonly string[] => {
  if (boards.length === 0 || kind.openKept === undefined) return [];
  if (!keep) return [`npm run lab -- ${commandLine([...command, '--keep'])}`];
  const { task, board = boards[0]?.name } = failure instanceof StepFailed ? failure : {};
  const on = board === undefined ? '' : ` --board ${board}`;
  return [`npm run lab -- shell${on}${task === undefined ? '' : ` --instance ${task}`}`, `npm run lab -- logs${on}`];
};

const failureOf = ({ failure, logs, recordings, boards }: RunEnd, options: RunOptions): Run['failure'] => {
  if (failure === undefined) return undefined;
  // a step of the lab's own failed on no board in particular: the first one is as good as another
  const { board = boards[0]?.name } = failure instanceof StepFailed ? failure : {};
  const log = tellingLog(logs, board === undefined ? '' : `${board}-`);
  const packets = recordings.find((recording) => recording.board === board);
  const next = failure instanceof StepFailed ? failure.next : [];
  return {
    step: failure instanceof StepFailed ? failure.step : 'outside of the steps',
    message: failure instanceof StepFailed ? failure.message : messageOf(failure),
    ...(log ? { log } : {}),
    ...(packets ? { packets: { file: packets.file, lines: packets.lines.slice(-packetLines) } } : {}),
    next: [...next, ...lookFurther(failure, boards, options)],
  };
};

/** What stands under `run` of a board that is alone, and in its own entry of one of several. */
const boardFacts = ({ machine, topology, condition }: RunBoard): Pick<Run, 'emulator' | 'topology' | 'condition'> => ({
  ...(machine.command
    ? { emulator: { arguments: [...machine.command], ...(machine.start ? { start: machine.start } : {}) } }
    : {}),
  ...(topology ? { topology } : {}),
  ...(condition ? { condition } : {}),
});

const boardsOf = (boards: readonly RunBoard[]): Partial<Run> => {
  const [alone, ...others] = boards;
  if (alone === undefined) return {};
  if (alone.name === undefined && others.length === 0) return boardFacts(alone);
  return {
    boards: boards.map((board) => ({ name: board.name ?? '', address: board.address ?? '', ...boardFacts(board) })),
  };
};

/** Everything about a run as its report has it. */
export const describe = async (context: RunContext, end: RunEnd): Promise<Results> => {
  const { options, run, observations, steps } = context;
  const { boards, verdict, unlocked, logs } = end;
  const machine = boards[0]?.machine;
  const { app, kind, scenario, netManager } = options;
  const failure = failureOf(end, options);
  const metrics = [...joinReplicates([observations.metrics])];
  const isCounted = machine?.fidelity === 'counted';
  const chosen = [{ name: 'component', version: app.name, sha256: app.sha256 }];
  return {
    version: resultsVersion,
    scenario: { name: options.name, description: scenario.description },
    machine: {
      name: kind.name,
      architecture: kind.architecture,
      accelerator: machine?.accelerator ?? notStarted,
      fidelity: machine?.fidelity ?? kind.fidelity,
      ...(scenario.machines === undefined || scenario.machines === 1 ? {} : { boards: scenario.machines }),
    },
    options: {
      ...Object.fromEntries(
        Object.entries({ ...options.load, ...options.machine }).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value]],
        ),
      ),
    },
    inputs: [
      ...(observations.components.length > 0 ? observations.components : chosen),
      ...(netManager === undefined ? [] : [netManagerInput(netManager)]),
      ...(machine?.inputs ?? []),
    ],
    verdict,
    steps: steps.done,
    ...(isCounted ? { metrics } : {}),
    run: {
      id: run.id,
      started: context.started.toISOString(),
      seconds: context.seconds(),
      host: host(),
      revision: await revision(),
      unlocked: [...unlocked],
      ...boardsOf(boards),
      ...(observations.firstAnswer ? { firstAnswer: observations.firstAnswer } : {}),
      timings: steps.timings,
      metrics: isCounted ? [] : metrics,
      latencies: observations.latencies,
      throughput: observations.throughput,
      notes: observations.notes,
      logs: logs.map(({ name }) => ({ name: name.replace(/\.log$/, ''), file: name })),
      ...(failure ? { failure } : {}),
    },
  };
};
