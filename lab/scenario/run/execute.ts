import { maxCompileMs } from '../../../worker/contract/limits.ts';
import { startCluster } from '../../cluster/cluster.ts';
import type { Machine } from '../../machine/machine.ts';
import { LabError, labFault } from '../../system/errors.ts';
import { nearest } from '../../system/nearest.ts';
import { apartFrom, type Deadline, deadline } from '../../system/wait.ts';
import type { App } from '../../wasm/app.ts';
import type { Capture } from '../board/capture.ts';
import type { Observations } from '../observations.ts';
import type { RunOptions } from '../options.ts';
import { subnet6Of } from '../scenario.ts';
import { createDeployer } from '../services/deploy.ts';
import { checkPreconditions } from '../services/preconditions.ts';
import { putCompiled, startWorker } from '../services/worker.ts';
import type { Emit } from '../targets/events.ts';
import { makeLab } from './context.ts';
import { StepFailed, type Steps } from './steps.ts';

const setUpMs = 60_000;

/** A booted board and what a run keeps about it. */
export type ScenarioExecution = {
  readonly options: RunOptions;
  readonly board: Machine;
  readonly capture: Capture;
  readonly steps: Steps;
  readonly findings: Observations;
  readonly emit: Emit;
  readonly note: (text: string) => void;
  /** Takes what has to be taken down when the run ends. */
  readonly stack: AsyncDisposableStack;
  readonly limit: Deadline;
};

const boardOnly = { place: 'board' } as const;
const labOnly = { place: 'lab' } as const;

const bodyOf = ({ body }: App) => (body === undefined ? {} : { body: Buffer.from(body) });

/** Starts cluster and worker on a booted board, goes through the scenario, and judges what the worker said meanwhile. */
export const executeScenario = async (parts: ScenarioExecution): Promise<void> => {
  const { options, board, capture, steps, findings, emit, note, stack, limit } = parts;
  const { signal } = limit;
  const { scenario, app } = options;
  const cluster = stack.use(
    await startCluster({
      listen: board.uplink.bind,
      advertise: board.uplink.lab,
      subnet: { address: scenario.network.subnet, addressv6: subnet6Of(scenario.network) },
      onMessage: (message) => emit({ kind: 'cluster-message', message }),
      signal,
    }),
  );
  for (const port of [cluster.registrationPort, cluster.brokerPort]) await board.publish?.(port);
  await steps.run('start the worker', boardOnly, signal, async () => {
    await checkPreconditions(board, scenario);
    const [compiled] = await Promise.all([
      apartFrom(limit, maxCompileMs, () => putCompiled(board, app, board.wasmtimeVersion, signal)),
      startWorker(board, cluster, scenario.network, deadline(setUpMs * board.timeoutFactor, 'the worker', signal)),
      capture.start(),
    ]);
    if (compiled !== undefined) note(compiled);
  });
  const services = createDeployer(board, cluster, app, findings, emit, limit);
  const lab = makeLab({
    ...{ machine: board, cluster, app, network: scenario.network, options: options.options },
    wanted: options.wanted ?? { path: '/', status: 200, anyBody: false, ...bodyOf(app) },
    ...{ steps, findings, capture, services, emit, note, stack, limit },
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
    expect.equal('departures from the contract', problems, []);
  });
  const { until } = options;
  if (until === undefined) return;
  const names = steps.done.map(({ name }) => name);
  throw new LabError(`no step '${until}' to end after${nearest(until, names)}`, { fault: 'incomplete' });
};
