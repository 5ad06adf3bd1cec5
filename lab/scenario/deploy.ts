import type { Cluster } from '../cluster/cluster.ts';
import type { Machine } from '../machine/machine.ts';
import { deadline } from '../system/wait.ts';
import type { App } from '../wasm/app.ts';
import type { Emit } from './events.ts';
import { instancePlace } from './places.ts';
import type { Lab } from './scenario.ts';

const serviceName = 'lab.test.hello.test';
const deployMs = 20_000;
const undeployMs = 10_000;

/** Deploying and undeploying through the cluster, as a scenario does it. */
export const deployer = (
  machine: Machine,
  cluster: Cluster,
  app: App,
  emit: Emit,
  signal: AbortSignal,
): Pick<Lab, 'deploy' | 'undeploy' | 'send'> => {
  const images = new Map<string, string>();
  const imageOf = ({ name, bytes, sha256 }: App): string => {
    const image = images.get(sha256) ?? cluster.publishArtifact(name, bytes);
    images.set(sha256, image);
    return image;
  };
  const send: Lab['send'] = ({ app: wanted = app, instance = 0, ...spec } = {}) =>
    cluster.deploy({ ...spec, instance, service: serviceName, image: imageOf(wanted) });
  return {
    send,
    deploy: async (spec) => {
      const ends = deadline(deployMs * machine.slowness, 'deployment', signal);
      const deployment = send(spec);
      const address = await deployment.address(ends);
      await deployment.status('CREATED', ends);
      return {
        task: deployment.task,
        address,
        deployment,
        instance: instancePlace(machine, deployment.task, emit, signal),
      };
    },
    undeploy: (service) => service.deployment.undeploy(deadline(undeployMs * machine.slowness, 'undeployment', signal)),
  };
};
