import { startCluster } from '../cluster/cluster.ts';
import { hasEntered } from '../machine/entered.ts';
import type { RunBoard } from '../scenario/board/run-board.ts';
import { scenarioBoard } from '../scenario/board/scenario-board.ts';
import type { Steps } from '../scenario/run/steps.ts';
import { type NetworkSpec, subnet6Of } from '../scenario/scenario.ts';
import { startWorker } from '../scenario/services/worker.ts';
import { deadline } from '../system/wait.ts';
import { Gateway } from './gateway/gateway.ts';
import { LabServices } from './services.ts';
import type { Standing } from './standing.ts';

const setUpMs = 60_000;

/** What a lab with a cluster of its own is made of; `folder` is that of its run. */
export type OwnCluster = {
  readonly folder: string;
  readonly board: RunBoard;
  readonly network: NetworkSpec;
  readonly steps: Steps;
  readonly signal: AbortSignal;
};

/** Starts a cluster and the board's worker, ready for services. What is started is ended with `stack`. */
export const startOwnCluster = async (
  { folder, board, network, steps, signal }: OwnCluster,
  stack: AsyncDisposableStack,
): Promise<Standing> => {
  const { machine } = board;
  const cluster = stack.use(
    await startCluster({
      listen: machine.uplink.bind,
      advertise: machine.uplink.lab,
      subnet: { address: network.subnet, addressv6: subnet6Of(network) },
      signal,
    }),
  );
  for (const port of [cluster.registrationPort, cluster.brokerPort]) await machine.publish?.(port);
  await steps.run('start the worker', { place: 'board' }, signal, () =>
    startWorker(board, cluster, network, deadline(setUpMs * machine.timeoutFactor, 'the worker', signal)),
  );
  const gateway = hasEntered() ? stack.use(new Gateway(folder)) : undefined;
  await gateway?.start();
  const forwarded = new Map<number, ReturnType<typeof machine.forward>>();
  const forward = (port: number) => {
    const known = forwarded.get(port) ?? machine.forward(port, signal);
    forwarded.set(port, known);
    known.catch(() => forwarded.delete(port));
    return known;
  };
  const target = scenarioBoard(
    board,
    undefined,
    () => {},
    () => {},
    signal,
  );
  const services = new LabServices({
    ...{ board: { ...target, forward }, cluster, folder, signal },
    addressOf: async (port, asked) => {
      const endpoint = await forward(port);
      return gateway ? await gateway.open(port, endpoint, AbortSignal.any([signal, asked])) : endpoint;
    },
  });
  return {
    status: async (asked) => ({
      worker: cluster.isConnected() ? 'connected' : 'away',
      violations: cluster.violations.length,
      ...(gateway ? { gateway: gateway.isThere } : {}),
      services: [...(await services.status(asked))],
    }),
    deploy: (request, progress) => services.deploy(request, progress),
    undeploy: ({ service }) => services.undeploy(service),
    load: (request, asked) => services.load(request, asked),
  };
};
