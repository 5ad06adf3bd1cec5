import { readFile } from 'node:fs/promises';
import type { DeployRequest } from '../../contract/job.ts';
import { type ProcessId, procStat } from '../process/proc.ts';
import { tail } from '../process/tail.ts';

/** What one running instance uses: CPU in percent of one core, memory in percent of the node's. */
export type InstanceUsage = {
  readonly job: string;
  readonly instance: number;
  readonly virtualization: string;
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly logs: string;
};

/** Clock ticks a second in /proc (USER_HZ, proc(5)): 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** Bytes of the instance's output that are reported. */
const logBytes = 1024;

/**
 * Memory of a process in bytes: its proportional share from smaps_rollup, or all that is resident where that may not
 * be read.
 */
export const memoryBytes = async (pid: number): Promise<number> => {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const status = rollup === '' ? await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '') : rollup;
  return Number(/^(?:Pss|VmRSS):\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
};

type Sample = { readonly ticks: number; readonly at: number };

/** Measures one process from call to call; CPU is the share of one core in percent since the call before. */
export const usageMeter = (job: DeployRequest, id: ProcessId, log: string) => {
  let before: Sample | undefined;
  return async (memoryTotal: number): Promise<InstanceUsage> => {
    const [stat, memory, logs] = await Promise.all([procStat(id.pid), memoryBytes(id.pid), tail(log, logBytes)]);
    const now: Sample = { ticks: stat?.cpuTicks ?? 0, at: performance.now() };
    const seconds = before === undefined ? 0 : (now.at - before.at) / 1000;
    const busy = before === undefined ? 0 : Math.max(0, now.ticks - before.ticks) / ticksPerSecond;
    before = now;
    return {
      job: job.job_name,
      instance: job.instance_number,
      virtualization: job.virtualization,
      cpuPercent: seconds > 0 ? (100 * busy) / seconds : 0,
      memoryPercent: memoryTotal > 0 ? (100 * memory) / memoryTotal : 0,
      logs,
    };
  };
};
