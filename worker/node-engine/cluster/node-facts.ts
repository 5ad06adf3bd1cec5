import { readFile } from 'node:fs/promises';
import { availableParallelism, hostname, loadavg } from 'node:os';

/** What the node looks like right now. `cpuPercent` is the share of all cores that was busy since the last look. */
export type NodeFacts = {
  readonly host: string;
  readonly architecture: 'arm64' | 'amd64';
  readonly cores: number;
  readonly cpuPercent: number;
  readonly load: number;
  readonly memoryTotal: number;
  readonly memoryAvailable: number;
};

/** Ticks of all cores since boot. */
type CpuTicks = { readonly busy: number; readonly total: number };

/** The first line of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal. */
const parseCpuTicks = (stat: string): CpuTicks => {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = (
    stat.split('\n', 1)[0] ?? ''
  )
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait };
};

/** Total and available memory in bytes from the text of /proc/meminfo. */
const parseMemory = (meminfo: string): { readonly total: number; readonly available: number } => {
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  return { total: bytes('MemTotal'), available: bytes('MemAvailable') };
};

/** Share busy between two looks, in percent; 0 when no time has passed. */
export const busyPercent = (before: CpuTicks, now: CpuTicks): number => {
  const total = now.total - before.total;
  return total <= 0 ? 0 : Math.min(100, Math.max(0, (100 * (now.busy - before.busy)) / total));
};

/** A function that reads the facts; the first call gives the busy share since boot. */
export const nodeFacts = (): (() => Promise<NodeFacts>) => {
  let before: CpuTicks = { busy: 0, total: 0 };
  return async () => {
    const [stat, meminfo] = await Promise.all([readFile('/proc/stat', 'utf8'), readFile('/proc/meminfo', 'utf8')]);
    const ticks = parseCpuTicks(stat);
    const memory = parseMemory(meminfo);
    const facts: NodeFacts = {
      host: hostname(),
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      cores: availableParallelism(),
      cpuPercent: busyPercent(before, ticks),
      load: loadavg()[0] ?? 0,
      memoryTotal: memory.total,
      memoryAvailable: memory.available,
    };
    before = ticks;
    return facts;
  };
};
