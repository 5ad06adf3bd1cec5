import type { Machine } from '../../machine/machine.ts';
import { joinReplicates } from '../../report/model/metrics.ts';
import { notStarted, type Results, type Run, resultsVersion, type Verdict } from '../../report/model/results.ts';
import { messageOf } from '../../system/errors.ts';
import { commandLine } from '../../system/quote.ts';
import { type Packets, packetsFile } from '../board/capture.ts';
import type { Observations } from '../observations.ts';
import type { Log, RunOptions } from '../options.ts';
import { host, revision } from './provenance.ts';
import { StepFailed, type Steps } from './steps.ts';

const logLines = 15;
const packetLines = 12;

/** The end of the log that tells most about a failure: the instance's own, else the engine's, else the console's. */
const tellingLog = (logs: readonly Log[]) => {
  const order = [/^apps-/, /^NodeEngine/, /^NetManager/, /^console/];
  const log = order
    .map((pattern) => logs.find(({ name, content }) => pattern.test(name) && content.trim() !== ''))
    .find((found) => found !== undefined);
  return log && { name: log.name, lines: log.content.trimEnd().split('\n').slice(-logLines) };
};

type Described = {
  readonly options: RunOptions;
  readonly id: string;
  readonly started: Date;
  readonly seconds: number;
  readonly verdict: Verdict;
  readonly steps: Steps;
  readonly findings: Observations;
  readonly machine: Machine | undefined;
  readonly failure: unknown;
  readonly packets: Packets | undefined;
  readonly logs: readonly Log[];
  readonly unlocked: readonly string[];
};

/** The commands that lead to where a step failed. */
const lookFurther = (
  failure: unknown,
  { machine, options: { keep, command, kind } }: Pick<Described, 'machine' | 'options'>,
): readonly string[] => {
  if (machine === undefined || kind.openKept === undefined) return [];
  if (!keep) return [`npm run lab -- ${commandLine([...command, '--keep'])}`];
  const task = failure instanceof StepFailed ? failure.task : undefined;
  return [`npm run lab -- shell${task === undefined ? '' : ` --instance ${task}`}`, 'npm run lab -- logs'];
};

const failureOf = (run: Pick<Described, 'failure' | 'machine' | 'options' | 'logs' | 'packets'>): Run['failure'] => {
  const { failure, logs, packets } = run;
  if (failure === undefined) return undefined;
  const log = tellingLog(logs);
  const next = failure instanceof StepFailed ? failure.next : [];
  return {
    step: failure instanceof StepFailed ? failure.step : 'the lab itself',
    message: failure instanceof StepFailed ? failure.message : messageOf(failure),
    ...(log ? { log } : {}),
    ...(packets ? { packets: { file: packetsFile, lines: packets.lines.slice(-packetLines) } } : {}),
    next: [...next, ...lookFurther(failure, run)],
  };
};

/** Everything about a run as its report has it. */
export const describe = async (run: Described): Promise<Results> => {
  const { options, machine, findings, steps } = run;
  const { app, kind, scenario } = options;
  const failure = failureOf(run);
  const chosen = [{ name: 'component', version: app.name, sha256: app.sha256 }];
  return {
    version: resultsVersion,
    scenario: { name: options.name, description: scenario.description },
    machine: {
      name: kind.name,
      architecture: kind.architecture,
      accelerator: machine?.accelerator ?? notStarted,
      fidelity: machine?.fidelity ?? kind.fidelity,
    },
    options: {
      ...Object.fromEntries(
        Object.entries({ ...options.options, ...options.machine }).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value]],
        ),
      ),
    },
    inputs: [...(findings.components.length > 0 ? findings.components : chosen), ...(machine?.inputs ?? [])],
    verdict: run.verdict,
    steps: steps.done,
    run: {
      id: run.id,
      started: run.started.toISOString(),
      seconds: run.seconds,
      host: host(),
      revision: await revision(),
      unlocked: [...run.unlocked],
      ...(machine?.command ? { emulator: { arguments: [...machine.command] } } : {}),
      ...(findings.topology ? { topology: findings.topology } : {}),
      ...(findings.firstAnswer ? { firstAnswer: findings.firstAnswer } : {}),
      ...(findings.condition ? { condition: findings.condition } : {}),
      timings: steps.timings,
      metrics: [...joinReplicates([findings.metrics])],
      latencies: findings.latencies,
      throughput: findings.throughput,
      notes: findings.notes,
      logs: run.logs.map(({ name }) => ({ name: name.replace(/\.log$/, ''), file: name })),
      ...(failure ? { failure } : {}),
    },
  };
};
