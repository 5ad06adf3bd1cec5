import type { AcceleratorChoice, MachineKind } from '../machine/kind.ts';
import type { RunBoard } from '../scenario/board/run-board.ts';
import { RunBoards } from '../scenario/run/boards.ts';
import { boot } from '../scenario/run/boot.ts';
import { StepFailed, Steps } from '../scenario/run/steps.ts';
import type { NetworkSpec } from '../scenario/scenario.ts';
import type { Emit } from '../scenario/targets/events.ts';
import { Interrupted, LabError, messageOf } from '../system/errors.ts';
import { openRun, reapRuns } from '../system/runs.ts';
import { StallWatch } from '../system/stalls.ts';
import { listenForRequests, type RequestHandler } from './channel.ts';
import { History } from './history.ts';
import { joinCluster } from './joined/joined.ts';
import { findCluster } from './joined/target.ts';
import { startOwnCluster } from './own-cluster.ts';
import type { Answers, LabStatus } from './protocol.ts';
import { claimName, forgetLab, type Join, type LabRecord, saveLab } from './registry.ts';
import type { Standing } from './standing.ts';

/** The network that a lab's worker has with either topology. */
const networkOf = (topology: NetworkSpec['topology']): NetworkSpec => ({
  topology,
  subnet: '10.10.0.0',
  subnet6: 'fd00:10::',
});

/** What a standing lab is made of. */
export type StandingOptions = {
  readonly name: string;
  /** The id of its run, which this process has in its environment already. */
  readonly id: string;
  readonly topology: NetworkSpec['topology'];
  readonly kind: MachineKind;
  readonly accel: AcceleratorChoice;
  /** A cluster that exists already, which its worker serves; one of its own when left out. */
  readonly join?: Join;
  /** Ends it as `down` does. */
  readonly signal: AbortSignal;
  readonly emit: Emit;
  /** Called as soon as it can be asked. */
  readonly onStanding: () => void;
};

/** A step's own error, with the name of the step. */
const namedByStep = (error: unknown): unknown => {
  if (!(error instanceof StepFailed)) return error;
  const { cause, step, next } = error;
  const fault = cause instanceof LabError ? cause.fault : error.verdict === 'failed' ? 'product' : 'lab';
  return new LabError(`${step}: ${error.message}`, { fault, next, cause });
};

/** Boots the board, and starts the worker with a cluster of the lab's own or for one that exists. */
const start = async (
  { name, id, topology, kind, accel, join, signal, emit }: StandingOptions,
  stack: AsyncDisposableStack,
): Promise<{ readonly folder: string; readonly board: RunBoard; readonly standing: Standing }> => {
  const target = join && (await findCluster(join.cluster, join.publicAddress, signal));
  const run = stack.use(await openRun(`lab '${name}' on ${kind.name}`, id));
  using stalls = new StallWatch();
  const steps = new Steps(emit, performance.now(), (from, to) => stalls.between(from, to));
  const note = (text: string) => emit({ kind: 'note', text });
  const boards = stack.use(new RunBoards());
  await boot(
    { run, steps, emit, note, options: { kind, machine: { fresh: true, accel }, signal, scenario: {} } },
    boards,
  );
  const [board] = boards.booted;
  if (board === undefined) throw new Error('the board has not booted');
  const parts = { board, steps, network: networkOf(topology), signal: AbortSignal.any([signal, board.lost]) };
  const { folder } = run;
  const standing = await (target
    ? joinCluster({ ...parts, lab: name, target }, stack)
    : startOwnCluster({ ...parts, folder }, stack));
  return { folder, board, standing };
};

/** Why a lab that stood ended: undefined when it was asked to. */
const endOf = async (asked: Promise<void>, lost: AbortSignal, signal: AbortSignal): Promise<unknown> => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  void asked.then(() => resolve(undefined));
  for (const [ends, reason] of [
    [lost, () => lost.reason],
    [signal, () => (signal.reason instanceof Interrupted ? undefined : signal.reason)],
  ] as const) {
    const tell = () => resolve(reason());
    if (ends.aborted) tell();
    else ends.addEventListener('abort', tell, { once: true });
  }
  return await promise;
};

/**
 * A lab that stands until it is asked to end, `signal` is aborted, or its board is lost: a board with a worker, a cluster,
 * and services that others deploy by its control socket. In the end all of it is taken down; why it ended by itself stands
 * in its record then. Throws when it cannot be started.
 */
export const standLab = async (options: StandingOptions): Promise<void> => {
  const { name, id, topology, kind, signal } = options;
  using _claim = await claimName(name);
  await reapRuns();
  const started = new Date().toISOString();
  let reason: unknown;
  let record: LabRecord | undefined;
  try {
    await using stack = new AsyncDisposableStack();
    const { folder, board, standing } = await start(options, stack).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : namedByStep(error);
    });
    const { machine } = board;
    const status = async (asked: AbortSignal): Promise<LabStatus> => ({
      ...{ name, id, machine: kind.name, architecture: kind.architecture, topology, started },
      ...(await standing.status(asked)),
    });
    const down = Promise.withResolvers<void>();
    const history = new History();
    const answering: RequestHandler = async (request, { progress, signal: asked }): Promise<Answers[keyof Answers]> => {
      switch (request.do) {
        case 'status':
          return await status(asked);
        case 'deploy':
          return await history.record(request, () => standing.deploy(request, progress));
        case 'undeploy':
          return await history.record(request, () => standing.undeploy(request));
        case 'exec':
          return await machine.exec(request.argv, { signal: asked });
        case 'load':
          return await history.record(request, () => standing.load(request, asked));
        case 'history':
          return history.all;
        case 'down':
          down.resolve();
          return {};
      }
    };
    stack.use(await listenForRequests(folder, answering));
    record = { name, id, machine: kind.name, folder, started, ...(options.join && { join: options.join }) };
    await saveLab(record);
    options.onStanding();
    reason = await endOf(down.promise, board.lost, signal);
  } finally {
    if (record !== undefined && reason === undefined) await forgetLab(record);
    else if (record !== undefined)
      await saveLab({ ...record, ended: { at: new Date().toISOString(), reason: messageOf(reason) } });
  }
};
