import { setTimeout as pause } from 'node:timers/promises';
import type { Machine } from '../../machine/machine.ts';
import { instructionsMetric, lowerHalfMean, mean } from '../../report/model/counted.ts';
import type { Metric } from '../../report/model/results.ts';
import type { Observations } from '../observations.ts';
import type { Lab, NetworkSpec, Service } from '../scenario.ts';
import { answersLike } from '../targets/answer.ts';

/** The first deployment fills caches and is not counted. */
const deployments = 20;
const [inner, outer] = [80, 8080];

/** The board is at rest when it was idle for all but a share of a period; it is waited for so many periods at most. */
const [periodMs, busyShare, mostPeriods] = [100, 0.05, 100];

/**
 * Resolves when the board is at rest: what the worker does after it has had its last word would be counted as a part of
 * whatever comes next. Time in which the guest is idle costs nothing.
 */
const atRest = async (instructions: () => number, signal: AbortSignal): Promise<void> => {
  let before = instructions();
  for (let period = 0; period < mostPeriods; period++) {
    await pause(periodMs, undefined, { signal });
    const now = instructions();
    if (now - before <= busyShare * periodMs * 1e6) return;
    before = now;
  }
};

/** Does `work`, and records under `name` what it took of a machine that counts instructions. */
export const countInstructions = async <T>(
  machine: Machine,
  name: string,
  { metrics }: Observations,
  work: () => Promise<T>,
): Promise<T> => {
  const { instructions } = machine;
  if (instructions === undefined) return await work();
  const before = instructions();
  const result = await work();
  metrics.push(instructionsMetric(name, 'board', instructions() - before));
  return result;
};

/** What a request by other ways takes of what it takes without any network. */
const ratiosToLoopback = (metrics: readonly Metric[], loads: readonly string[]): readonly Metric[] => {
  const requests = metrics.filter(({ name }) => name === 'request.p50');
  const [base] = requests.find(({ dimensions }) => dimensions['load'] === 'loopback')?.samples ?? [];
  return requests.flatMap(({ where, dimensions, samples: [p50 = 0] }): readonly Metric[] =>
    base === undefined || !loads.includes(dimensions['load'] ?? '')
      ? []
      : [{ ...{ name: 'request.ratio', unit: 'x', kind: 'counted', where }, dimensions, samples: [p50 / base] }],
  );
};

/** Loads a service by every way that leads to it. */
const loadEveryWay = async (
  lab: Lab,
  topology: NetworkSpec['topology'],
  service: Service,
  { metrics }: Observations,
): Promise<void> => {
  const { board, machine, expectedAnswer, load } = lab;
  const { path } = expectedAnswer;
  const direct = `http://${service.address.v4}:${inner}${path}`;
  const expected = answersLike(expectedAnswer, await board.get(direct));
  await load('loopback', `http://127.0.0.1:${inner}${path}`, expected, { from: service.instance });
  await load(topology, direct, expected, { from: board });
  await load('mapped port', `http://${machine.uplink.board}:${outer}${path}`, expected);
  metrics.push(...ratiosToLoopback(metrics, [topology, 'mapped port']));
};

/**
 * Where instructions are counted, a step after those of the scenario: the app is deployed and removed again and again in
 * the network as the scenario left it, and loaded by every way that leads to it.
 */
export const countDeployments = async (
  lab: Lab,
  topology: NetworkSpec['topology'],
  observations: Observations,
): Promise<void> => {
  const { metrics } = observations;
  const { instructions } = lab.machine;
  if (instructions === undefined) return;
  await lab.step('count instructions', lab.lab, async ({ signal }) => {
    const deployed: number[] = [];
    const undeployed: number[] = [];
    for (let n = 0; n < deployments; n++) {
      await atRest(instructions, signal);
      const before = instructions();
      const service = await lab.deploy({ port: `${outer}:${inner}` });
      deployed.push(instructions() - before);
      if (n === deployments - 1) await loadEveryWay(lab, topology, service, observations);
      await atRest(instructions, signal);
      const ending = instructions();
      await lab.undeploy(service);
      undeployed.push(instructions() - ending);
    }
    for (const [name, counts] of Object.entries({ deployment: deployed, undeployment: undeployed })) {
      const [, ...counted] = counts;
      metrics.push(
        instructionsMetric(`${name}.lower`, 'board', lowerHalfMean(counted)),
        instructionsMetric(name, 'board', mean(counted)),
      );
    }
  });
};
