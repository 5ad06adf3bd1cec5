import { maxCompileMs } from '../../../worker/contract/limits.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Machine } from '../../machine/machine.ts';
import { timeKind } from '../../report/model/load-record.ts';
import { bytesInWords } from '../../report/model/text.ts';
import { labFault } from '../../system/errors.ts';
import { apartFrom, type Deadline, deadline } from '../../system/wait.ts';
import type { App } from '../../wasm/app.ts';
import type { Capture } from '../board/capture.ts';
import { lastingChanges, snapshotAtRest } from '../board/snapshot.ts';
import type { Observations } from '../observations.ts';
import type { Lab, NetworkSpec, ScenarioOptions } from '../scenario.ts';
import type { Services } from '../services/deploy.ts';
import { createLoader } from '../services/loads.ts';
import { serveText } from '../services/serve.ts';
import { topologyRecorder } from '../services/topology.ts';
import { putCompiled, reconfigure } from '../services/worker.ts';
import type { WantedAnswer } from '../targets/answer.ts';
import type { Emit } from '../targets/events.ts';
import { boardTarget, labTarget } from '../targets/targets.ts';
import type { Steps } from './steps.ts';

const configureMs = 60_000;
const shownBodyBytes = 1024;

/** What a scenario works with, bound to a running machine, cluster and worker. */
export const makeLab = (parts: {
  readonly machine: Machine;
  readonly cluster: Cluster;
  readonly app: App;
  readonly wanted: WantedAnswer;
  readonly network: NetworkSpec;
  readonly options: ScenarioOptions;
  readonly steps: Steps;
  readonly findings: Observations;
  readonly capture: Capture;
  readonly services: Services;
  readonly emit: Emit;
  readonly note: (text: string) => void;
  /** Takes what has to be taken down when the run ends. */
  readonly stack: AsyncDisposableStack;
  readonly limit: Deadline;
}): Lab => {
  const { machine, cluster, app, wanted, options, steps, findings, emit, limit } = parts;
  const { signal } = limit;
  const { deploy, undeploy, send } = parts.services;
  let { network } = parts;
  const picture = topologyRecorder(machine, parts.services, findings);
  return {
    board: boardTarget(machine, emit, signal),
    lab: labTarget(machine, emit, signal),
    machine,
    cluster,
    app,
    wanted,
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
      const problem = await apartFrom(limit, maxCompileMs, () =>
        putCompiled(machine, other, machine.wasmtimeVersion, signal),
      );
      if (problem !== undefined) throw labFault(problem);
    },
    configure: async (change) => {
      network = { ...network, ...change };
      await reconfigure(machine, cluster, network, deadline(configureMs * machine.timeoutFactor, 'NetManager', signal));
    },
    serve: async (body) => {
      const server = parts.stack.use(await serveText(body, machine.uplink.bind));
      await machine.publish?.(server.port);
      return `${machine.uplink.lab}:${server.port}`;
    },
    forward: (boardPort) => machine.forward(boardPort, signal),
    load: createLoader(machine, options, findings, parts.capture, limit),
    record: ({ kind, dimensions = {}, samples, ...figure }) => {
      findings.metrics.push({
        ...figure,
        kind: kind === 'count' ? 'count' : timeKind(machine.fidelity),
        dimensions: { ...dimensions },
        samples: [...samples],
      });
    },
    note: parts.note,
    snapshot: () => snapshotAtRest(machine, signal),
    changes: (before) => lastingChanges(before, machine, signal, parts.note),
    firstAnswer: ({ status, headers, bytes }) => {
      const body = bytesInWords(bytes, shownBodyBytes);
      findings.firstAnswer ??= { status, headers: { ...headers }, body, bodyBytes: bytes.length };
    },
  };
};
