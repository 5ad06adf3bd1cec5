import type { Cluster } from '../../cluster/cluster.ts';
import type { Machine } from '../../machine/machine.ts';
import { deadline } from '../../system/wait.ts';
import type { App } from '../../wasm/app.ts';
import type { Findings } from '../findings.ts';
import type { Lab, Service } from '../scenario.ts';
import type { Emit } from '../targets/events.ts';
import { instancePlace } from '../targets/places.ts';

export const serviceName = 'lab.test.hello.test';
const deployMs = 20_000;
const undeployMs = 10_000;

/** Deploying and undeploying, and what is deployed. */
export type Services = Pick<Lab, 'deploy' | 'undeploy' | 'send'> & { readonly left: () => readonly Service[] };

/** Deploying and undeploying through the cluster, as a scenario does it. */
export const deployer = (
  machine: Machine,
  cluster: Cluster,
  app: App,
  { components }: Findings,
  emit: Emit,
  signal: AbortSignal,
): Services => {
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
  const send: Lab['send'] = ({ app: wanted = app, instance = 0, ...spec } = {}) =>
    cluster.deploy({ ...spec, instance, service: serviceName, image: imageOf(wanted) });
  return {
    send,
    deploy: async (spec) => {
      const ends = deadline(deployMs * machine.slowness, 'deployment', signal);
      const deployment = send(spec);
      const address = await deployment.address(ends);
      await deployment.status('CREATED', ends);
      const { task } = deployment;
      const { port } = spec ?? {};
      const service = { task, address, deployment, port, instance: instancePlace(machine, task, emit, signal) };
      standing.add(service);
      return service;
    },
    undeploy: async (service) => {
      await service.deployment.undeploy(deadline(undeployMs * machine.slowness, 'undeployment', signal));
      standing.delete(service);
    },
    left: () => [...standing],
  };
};
