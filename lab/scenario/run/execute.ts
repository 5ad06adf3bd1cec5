import { maxCompileMs } from '../../../worker/contract/limits.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { LabError, labFault } from '../../system/errors.ts';
import { nearest } from '../../system/nearest.ts';
import { apartFrom, type Deadline, deadline, extendableDeadline } from '../../system/wait.ts';
import type { RunBoard } from '../board/run-board.ts';
import { scenarioBoard } from '../board/scenario-board.ts';
import { subnet6Of } from '../scenario.ts';
import { createDeployer } from '../services/deploy.ts';
import { installNetManager } from '../services/net-manager.ts';
import { checkPreconditions } from '../services/preconditions.ts';
import { putCompiled, startWorker } from '../services/worker.ts';
import { usualAnswer } from '../targets/answer.ts';
import { allOrFirst, boardNames, type RunBoards } from './boards.ts';
import { countDeployments, countInstructions } from './count.ts';
import { makeLab } from './lab.ts';
import { Pause } from './pause.ts';
import type { RunContext } from './run-context.ts';
import { StepFailed } from './steps.ts';

const setUpMs = 60_000;

const labOnly = { place: 'lab' } as const;

/** Starts the worker on a board as a step of its own. */
const startOn = (
  { options: { scenario, app, netManager }, steps, observations, note }: RunContext,
  board: RunBoard,
  cluster: Cluster,
  limit: Deadline,
  ends: AbortSignal,
): Promise<void> => {
  const { machine, name, capture } = board;
  const step = name === undefined ? 'start the worker' : `start the worker on ${name}`;
  return steps.run(step, { place: 'board', board: name }, ends, async ({ signal }) => {
    await checkPreconditions(machine, scenario);
    if (netManager !== undefined && name === boardNames(scenario.machines)[1])
      await installNetManager(machine, netManager);
    const [compiled] = await Promise.all([
      apartFrom(limit, maxCompileMs, () => putCompiled(machine, app, machine.wasmtimeVersion, signal)),
      countInstructions(machine, 'worker.start', observations, () =>
        startWorker(board, cluster, scenario.network, deadline(setUpMs * machine.timeoutFactor, 'the worker', signal)),
      ),
      capture.start(),
    ]);
    if (compiled !== undefined) note(compiled);
  });
};

/** The scenario's own time, and its end when a board or what joins them is lost. */
const scenarioLimit = ({ options }: RunContext, { booted, segment }: RunBoards): Deadline => {
  const factor = Math.max(...booted.map(({ machine }) => machine.timeoutFactor));
  const losses = [...booted.map(({ lost }) => lost), segment?.lost];
  return extendableDeadline(
    (options.scenario.seconds ?? 120) * 1000 * factor,
    'the scenario',
    options.signal,
    ...losses,
  );
};

/**
 * Starts cluster and workers on booted boards, goes through the scenario, and judges what the workers said meanwhile.
 * `stack` takes what has to be ended when the run does, before its boards.
 */
export const executeScenario = async (
  context: RunContext,
  runBoards: RunBoards,
  stack: AsyncDisposableStack,
): Promise<void> => {
  const { options, steps, observations, emit, note } = context;
  const { booted: boards, segment } = runBoards;
  const limit = scenarioLimit(context, runBoards);
  const { signal } = limit;
  const { scenario, app } = options;
  const pause = new Pause(context, boards, limit);
  // steps before this one had no board to open a shell on
  for (const { name, board } of [...steps.done]) await pause.after(name, { board });
  steps.afterEach = (step, where) => pause.after(step, where);
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
    boards.map((board) => (ends) => startOn(context, board, cluster, limit, ends)),
    signal,
  );
  const services = createDeployer([first, ...others], cluster, app, observations, emit, limit);
  const lab = makeLab({
    ...{ boards: [first, ...others], runBoards: boards, cluster, app },
    ...{ network: scenario.network, options: options.load },
    expectedAnswer: options.expectedAnswer ?? usualAnswer(app),
    ...{ steps, observations, services, emit, note, stack, limit },
  });
  await scenario.run(lab).catch((error: unknown) => {
    throw error instanceof StepFailed ? error : labFault('the scenario threw outside of its steps', [], error);
  });
  await countDeployments(lab, scenario.network.topology, observations);
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
  pause.requireDone();
  const { until } = options;
  if (until === undefined) return;
  const names = steps.done.map(({ name }) => name);
  throw new LabError(`--until: no step is called '${until}'${nearest(until, names)}`, { fault: 'incomplete' });
};
