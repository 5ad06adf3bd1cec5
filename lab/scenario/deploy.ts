import type { Cluster } from '../cluster/cluster.ts';
import type { Machine } from '../machine/machine.ts';
import { deadline } from '../system/wait.ts';
import type { App } from '../wasm/app.ts';
import type { Emit } from './events.ts';
import { instancePlace } from './places.ts';
import type { Lab, Service } from './scenario.ts';

const serviceName = 'lab.test.hello.test';
const deployMs = 20_000;
const undeployMs = 10_000;

/** Deploying and undeploying `app` through the cluster, as a scenario does it. */
export const deployer = (
  machine: Machine,
  cluster: Cluster,
  app: App,
  emit: Emit,
  signal: AbortSignal,
): Pick<Lab, 'deploy' | 'undeploy'> & { readonly services: readonly Service[] } => {
  const image = cluster.publishArtifact(app.name, app.bytes);
  const services: Service[] = [];
  return {
    services,
    deploy: async ({ port, memory, instance = 0 } = {}) => {
      const ends = deadline(deployMs * machine.slowness, 'deployment', signal);
      const deployment = cluster.deploy({
        service: serviceName,
        instance,
        image,
        ...(port === undefined ? {} : { port }),
        ...(memory === undefined ? {} : { memory }),
      });
      const address = await deployment.address(ends);
      await deployment.status('CREATED', ends);
      const inside = instancePlace(machine, deployment.task, emit, signal);
      const service = { task: deployment.task, address, deployment, instance: inside };
      services.push(service);
      return service;
    },
    undeploy: (service) => service.deployment.undeploy(deadline(undeployMs * machine.slowness, 'undeployment', signal)),
  };
};
