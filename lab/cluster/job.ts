import type { DeploymentSpec } from './deployment.ts';
import { objectId, type RegisteredWorker } from './worker.ts';

/** The job document that `control/deploy` carries, as whole as a cluster sends it (contract, section 2). */
export const jobDocument = (spec: DeploymentSpec, worker: RegisteredWorker) => ({
  _id: objectId(spec.service),
  job_name: spec.service,
  instance_number: spec.instance,
  image: spec.image,
  virtualization: spec.virtualization ?? 'wasm',
  cmd: spec.cmd ?? [],
  environment: spec.environment ?? [],
  port: spec.port ?? '',
  memory: spec.memory ?? null,
  vcpus: 1,
  vgpus: 0,
  vtpus: 0,
  one_shot: spec.oneShot ?? false,
  privileged: false,
  arch: [],
  vm_images: [],
  platform: null,
  storage: 0,
  volumes: [],
  status: 'NODE_SCHEDULED',
  instance_list: [
    {
      instance_number: spec.instance,
      worker_id: worker.id,
      host_ip: worker.fields['ip'] ?? '',
      host_port: worker.fields['port'] ?? '',
      status: 'NODE_SCHEDULED',
    },
  ],
});

/** The body of `control/delete`. */
export const deleteDocument = (spec: Pick<DeploymentSpec, 'service' | 'instance' | 'virtualization'>) => ({
  job_name: spec.service,
  virtualization: spec.virtualization ?? 'wasm',
  instance_number: spec.instance,
});
