import { maxCompileMs } from '../../../worker/contract/limits.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import type { Segment } from '../../machine/segment/segment.ts';
import { LabError, labFault } from '../../system/errors.ts';
import { nearest } from '../../system/nearest.ts';
import { apartFrom, type Deadline, deadline } from '../../system/wait.ts';
import type { App } from '../../wasm/app.ts';
import type { RunBoard } from '../board/run-board.ts';
import { scenarioBoard } from '../board/scenario-board.ts';
import type { Observations } from '../observations.ts';
import type { RunOptions } from '../options.ts';
import { subnet6Of } from '../scenario.ts';
import { createDeployer } from '../services/deploy.ts';
import { checkPreconditions } from '../services/preconditions.ts';
import { putCompiled, startWorker } from '../services/worker.ts';
import type { Emit } from '../targets/events.ts';
import { allOrFirst } from './boards.ts';
import { makeLab } from './context.ts';
import { StepFailed, type Steps } from './steps.ts';

const setUpMs = 60_000;

/** The booted boards and what a run keeps about them. */
export type ScenarioExecution = {
  readonly options: RunOptions;
  readonly boards: readonly RunBoard[];
  /** What joins several. */
  readonly segment: Segment | undefined;
  readonly steps: Steps;
  readonly findings: Observations;
  readonly emit: Emit;
  readonly note: (text: string) => void;
  /** Takes what has to be taken down when the run ends. */
  readonly stack: AsyncDisposableStack;
  readonly limit: Deadline;
};

const labOnly = { place: 'lab' } as const;

const bodyOf = ({ body }: App) => (body === undefined ? {} : { body: Buffer.from(body) });

/** Starts the worker on a board as a step of its own. */
const startOn = (board: RunBoard, cluster: Cluster, parts: ScenarioExecution, ends: AbortSignal): Promise<void> => {
  const { options, steps, note, limit } = parts;
  const { scenario, app } = options;
  const { machine, name, capture } = board;
  const step = name === undefined ? 'start the worker' : `start the worker on ${name}`;
  return steps.run(step, { place: 'board', board: name }, ends, async ({ signal }) => {
    await checkPreconditions(machine, scenario);
    const [compiled] = await Promise.all([
      apartFrom(limit, maxCompileMs, () => putCompiled(machine, app, machine.wasmtimeVersion, signal)),
      startWorker(board, cluster, scenario.network, deadline(setUpMs * machine.timeoutFactor, 'the worker', signal)),
      capture.start(),
    ]);
    if (compiled !== undefined) note(compiled);
  });
};

/** Starts cluster and workers on booted boards, goes through the scenario, and judges what the workers said meanwhile. */
export const executeScenario = async (parts: ScenarioExecution): Promise<void> => {
  const { options, boards, segment, steps, findings, emit, note, stack, limit } = parts;
  const { signal } = limit;
  const { scenario, app } = options;
  const [first, ...others] = boards.map((board) => scenarioBoard(board, segment, emit, note, signal));
  if (first === undefined) throw new Error('a scenario has at least one board');
  const { uplink } = first.machine;
  const hosts = boards.flatMap(({ name }) => name ?? []);
  const cluster = stack.use(
    await startCluster({
      listen: uplink.bind,
      advertise: uplink.lab,
      ...(hosts.length === 0 ? {} : { hosts }),
      subnet: { address: scenario.network.subnet, addressv6: subnet6Of(scenario.network) },
      onMessage: (message) => emit({ kind: 'cluster-message', message }),
      signal,
    }),
  );
  for (const { machine } of boards)
    for (const port of [cluster.registrationPort, cluster.brokerPort]) await machine.publish?.(port);
  await allOrFirst(
    boards.map((board) => (ends) => startOn(board, cluster, parts, ends)),
    signal,
  );
  const services = createDeployer([first, ...others], cluster, app, findings, emit, limit);
  const lab = makeLab({
    ...{ boards: [first, ...others], runBoards: boards, cluster, app },
    ...{ network: scenario.network, options: options.options },
    wanted: options.wanted ?? { path: '/', status: 200, anyBody: false, ...bodyOf(app) },
    ...{ steps, findings, services, emit, note, stack, limit },
  });
  await scenario.run(lab).catch((error: unknown) => {
    throw error instanceof StepFailed ? error : labFault('the scenario threw outside of its steps', [], error);
  });
  if (services.left().length > 0 && !options.keep)
    await steps.run('remove what the scenario left', labOnly, signal, async () => {
      const tasks = services.left().map(({ task }) => task);
      for (const service of services.left()) await services.undeploy(service);
      throw labFault(`the scenario left ${tasks.join(', ')} deployed: each has to be undeployed before it ends`);
    });
  await steps.run("check the worker's messages", labOnly, signal, async ({ expect }) => {
    const problems = cluster.violations.map(({ topic, problem }) => `${topic}: ${problem}`);
    expect.equal('messages that violate the contract', problems, []);
  });
  const { until } = options;
  if (until === undefined) return;
  const names = steps.done.map(({ name }) => name);
  throw new LabError(`--until: no step is called '${until}'${nearest(until, names)}`, { fault: 'incomplete' });
};
