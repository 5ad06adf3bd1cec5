import type { JobStatus, JobStatusMessage } from '../../contract/job.ts';
import { maxDetail } from '../../contract/limits.ts';
import type { Dialect, NodeFields400, NodeFields403 } from '../../contract/registration.ts';
import type { InstanceUsage } from '../instances/usage.ts';
import type { NodeFacts } from './node-facts.ts';

/** Who the worker is towards its cluster. `id` is empty until the cluster has given one. */
type Identity = { readonly id: string; readonly ip: string; readonly runtimes: readonly string[] };

const megabyte = 1024 * 1024;
const rounded = (value: number): number => Math.round(value * 100) / 100;

/** The node's fields as registration and `information` carry them (contract, section 1). */
export const nodeFieldsMessage = (
  dialect: Dialect,
  identity: Identity,
  facts: NodeFacts,
): NodeFields400 | NodeFields403 => {
  const common = {
    id: identity.id,
    host: facts.host,
    ip: identity.ip,
    port: '3000',
    system_info: {},
    architecture: facts.architecture,
    disk_info: {},
    network_info: {},
    gpu_driver: '-',
    gpu_usage: 0,
    gpu_temp: 0,
    supported_addons: [],
  };
  const usedPercent = rounded(
    facts.memoryTotal === 0 ? 0 : 100 * Math.max(0, 1 - facts.memoryAvailable / facts.memoryTotal),
  );
  const available = Math.floor(facts.memoryAvailable / megabyte);
  return dialect === '403'
    ? {
        ...common,
        cpu_percent: rounded(facts.cpuPercent),
        vcpus: facts.cores,
        memory_percent: usedPercent,
        memory: available,
        virtualization: [...identity.runtimes],
        vgpus: 0,
        vram_percent: 0,
        vram: 0,
        csi_drivers: [],
      }
    : {
        ...common,
        cpu: rounded(facts.load),
        free_cores: facts.cores,
        memory: usedPercent,
        memory_free_in_MB: available,
        technology: [...identity.runtimes],
        gpu_cores: 0,
        gpu_mem_used: 0,
        gpu_tot_mem: 0,
      };
};

/** `nodes/<id>/jobs/resources`. */
export const resourcesMessage = (dialect: Dialect, instances: readonly InstanceUsage[]) => ({
  services: instances.map((usage) => {
    const [cpu, memory] = [usage.cpuPercent.toFixed(2), usage.memoryPercent.toFixed(2)];
    return {
      ...(dialect === '403' ? { cpu_percent: cpu, memory_percent: memory } : { cpu, memory }),
      disk: '0',
      logs: usage.logs,
      job_name: usage.job,
      virtualization: usage.virtualization,
      instance: usage.instance,
    };
  }),
});

/** `nodes/<id>/job`. */
export const statusMessage = (
  job: string,
  instance: number,
  status: JobStatus,
  detail: string,
  ip: string,
): JobStatusMessage => ({ sname: job, status, status_detail: detail.slice(0, maxDetail), instance, publicip: ip });
