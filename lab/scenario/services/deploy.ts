import { maxDeployMs } from '../../../worker/contract/limits.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { apartFrom, type Deadline, deadline } from '../../system/wait.ts';
import type { App } from '../../wasm/app.ts';
import type { Observations } from '../observations.ts';
import type { Board, Lab, Service } from '../scenario.ts';
import type { Emit } from '../targets/events.ts';
import { instanceTarget } from '../targets/targets.ts';
import { whilePresent } from './presence.ts';

export const serviceName = 'lab.test.hello.test';
const undeployMs = 60_000;
/** A daemon that was started again is back before that. */
const absenceMs = 60_000;

/** Deploying and undeploying, and what is deployed. */
export type Services = Pick<Lab, 'deploy' | 'undeploy' | 'send'> & { readonly left: () => readonly Service[] };

/** Deploying and undeploying through the cluster, as a scenario does it. Each deployment puts off `limit`. */
export const createDeployer = (
  boards: readonly [Board, ...Board[]],
  cluster: Cluster,
  app: App,
  { components }: Observations,
  emit: Emit,
  limit: Deadline,
): Services => {
  const { signal } = limit;
  const images = new Map<string, string>();
  const standing = new Set<Service>();
  const imageOf = ({ name, bytes, sha256 }: App): string => {
    const known = images.get(sha256);
    if (known !== undefined) return known;
    const image = cluster.publishArtifact(name, bytes);
    images.set(sha256, image);
    components.push({ name: 'component', version: name, sha256 });
    return image;
  };
  const send: Lab['send'] = ({
    app: wanted = app,
    instance = 0,
    service = serviceName,
    on: { board: host } = boards[0],
    ...spec
  } = {}) => cluster.deploy({ ...spec, instance, service, image: imageOf(wanted) }, host);
  return {
    send,
    deploy: async (spec) => {
      const { port, on = boards[0], service: name = serviceName, instance: n = 0 } = spec ?? {};
      const deployment = send(spec);
      const ms = absenceMs * on.machine.timeoutFactor;
      using present = whilePresent(() => cluster.isConnected(on.board), ms, signal);
      // a worker may take that long for a large component: it says at once when it fails
      const address = await apartFrom(limit, maxDeployMs, async () => {
        const ends = deadline(maxDeployMs, 'deployment', present);
        const found = await deployment.address(ends);
        await deployment.status('CREATED', ends);
        return found;
      });
      const { task } = deployment;
      const semantic = cluster.addressesOf(name, n);
      if (semantic === undefined) throw new Error(`the cluster has no addresses for ${task}`);
      const service: Service = {
        ...{ task, address, deployment, port, board: on },
        ...{ serviceAddress: semantic.service, instanceAddress: semantic.instance },
        instance: instanceTarget(on.machine, task, emit, signal, on.board),
      };
      standing.add(service);
      return service;
    },
    undeploy: async (service) => {
      const ms = undeployMs * service.board.machine.timeoutFactor;
      await service.deployment.undeploy(deadline(ms, 'undeployment', signal));
      standing.delete(service);
    },
    left: () => [...standing].filter(({ board }) => !board.machine.lost.aborted),
  };
};
