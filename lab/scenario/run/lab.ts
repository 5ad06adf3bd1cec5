import { maxCompileMs } from '../../../worker/contract/limits.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { timeKind } from '../../report/model/load-record.ts';
import { bytesInWords, shownBodyBytes } from '../../report/model/text.ts';
import { labFault } from '../../system/errors.ts';
import { apartFrom, type Deadline, deadline } from '../../system/wait.ts';
import type { App } from '../../wasm/app.ts';
import type { RunBoard } from '../board/run-board.ts';
import type { Observations } from '../observations.ts';
import type { Board, Lab, NetworkSpec, ScenarioOptions } from '../scenario.ts';
import { createCountedLoader } from '../services/counted-loads.ts';
import type { Services } from '../services/deploy.ts';
import { createLoader } from '../services/loads.ts';
import { serveText } from '../services/serve.ts';
import { topologyRecorder } from '../services/topology.ts';
import { putCompiled, reconfigure } from '../services/worker.ts';
import type { ExpectedAnswer } from '../targets/answer.ts';
import type { Emit } from '../targets/events.ts';
import { labTarget } from '../targets/targets.ts';
import type { Steps } from './steps.ts';

const configureMs = 60_000;

/** What a scenario works with, bound to running boards, cluster and workers. */
export const makeLab = (parts: {
  readonly boards: readonly [Board, ...Board[]];
  readonly runBoards: readonly RunBoard[];
  readonly cluster: Cluster;
  readonly app: App;
  readonly expectedAnswer: ExpectedAnswer;
  readonly network: NetworkSpec;
  readonly options: ScenarioOptions;
  readonly steps: Steps;
  readonly observations: Observations;
  readonly services: Services;
  readonly emit: Emit;
  readonly note: (text: string) => void;
  /** Takes what has to be taken down when the run ends. */
  readonly stack: AsyncDisposableStack;
  readonly limit: Deadline;
}): Lab => {
  const { boards, runBoards, cluster, app, expectedAnswer, options, steps, observations, emit, limit } = parts;
  const { signal } = limit;
  const { deploy, undeploy, send } = parts.services;
  let { network } = parts;
  const [board] = boards;
  const { machine } = board;
  const picture = topologyRecorder(runBoards, parts.services);
  return {
    board,
    boardNumber: (n) => {
      const found = boards[n - 1];
      if (found === undefined)
        throw new Error(`there is no board number ${n}: the scenario says it takes ${boards.length}`);
      return found;
    },
    lab: labTarget(machine, emit, signal),
    machine,
    cluster,
    app,
    expectedAnswer,
    options,
    step: async (name, where, body) => {
      const result = await steps.run(name, where, signal, (tools) => body({ ...tools, $: where.$, get: where.get }));
      await picture.stepEnded(network);
      return result;
    },
    deploy: async (spec = {}) => {
      const service = await deploy(spec);
      picture.deployed(network);
      return service;
    },
    undeploy,
    send,
    precompile: async (other) => {
      for (const { machine: one } of runBoards) {
        const problem = await apartFrom(limit, maxCompileMs, () =>
          putCompiled(one, other, one.wasmtimeVersion, signal),
        );
        if (problem !== undefined) throw labFault(problem);
      }
    },
    configure: async (change) => {
      network = { ...network, ...change };
      for (const one of runBoards) {
        const ms = configureMs * one.machine.timeoutFactor;
        await reconfigure(one, cluster, network, deadline(ms, 'NetManager', signal));
      }
    },
    serve: async (body) => {
      const server = parts.stack.use(await serveText(body, machine.uplink.bind));
      for (const one of runBoards) await one.machine.publish?.(server.port);
      return `${machine.uplink.lab}:${server.port}`;
    },
    forward: board.forward,
    load:
      machine.instructions === undefined
        ? createLoader(
            boards,
            options,
            observations,
            runBoards.map(({ capture }) => capture),
            limit,
          )
        : createCountedLoader(options, observations, signal),
    record: ({ kind, dimensions = {}, samples, ...figure }) => {
      observations.metrics.push({
        ...figure,
        kind: kind === 'count' ? 'count' : timeKind(machine.fidelity),
        dimensions: { ...dimensions },
        samples: [...samples],
      });
    },
    note: parts.note,
    snapshot: board.snapshot,
    changes: board.changes,
    firstAnswer: ({ status, headers, bytes }) => {
      const body = bytesInWords(bytes, shownBodyBytes);
      observations.firstAnswer ??= { status, headers: { ...headers }, body, bodyBytes: bytes.length };
    },
  };
};
