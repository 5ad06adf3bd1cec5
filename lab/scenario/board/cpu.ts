import { execOk, type Machine } from '../../machine/machine.ts';
import type { Metric } from '../../report/model/results.ts';

/** CPU time in clock ticks: of processes by id, and of interrupts on the whole board. */
export type CpuTicks = {
  readonly processes: ReadonlyMap<number, { readonly user: number; readonly system: number }>;
  readonly interrupts: number;
  readonly perSecond: number;
};

// a program that only looked into the namespace may have ended meanwhile
// without a program that tells, it is what Linux shows to programs on every processor that boards have (USER_HZ)
const script = `
getconf CLK_TCK 2>/dev/null || echo 100
head -n 1 /proc/stat
for pid in $(ip netns pids "$1"); do cat "/proc/$pid/stat" 2>/dev/null; done
true
`;

/** Reads what the script printed: ticks a second, the first line of /proc/stat, and one stat a process (proc(5)). */
export const parseTicks = (text: string): CpuTicks => {
  const [perSecond = '100', cpu = '', ...stats] = text.trim().split('\n');
  const [irq = 0, softirq = 0] = cpu.split(/\s+/).slice(6, 8).map(Number);
  return {
    perSecond: Number(perSecond),
    interrupts: irq + softirq,
    processes: new Map(
      stats.map((stat) => {
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [Number.parseInt(stat, 10), { user: Number(fields[11]), system: Number(fields[12]) }];
      }),
    ),
  };
};

/** The CPU time so far of the processes in an instance's namespace. */
export const cpuTicks = async (machine: Machine, task: string): Promise<CpuTicks> =>
  parseTicks(await execOk(machine, ['sh', '-c', script, 'sh', task]));

/**
 * CPU time a request in microseconds: of the service's processes in user space, in the kernel, and both; and of
 * interrupts, which serve the whole board. A kernel without CONFIG_IRQ_TIME_ACCOUNTING counts the interrupts that come
 * while a process runs as that process's own time as well, so the two are not added. Processes that were not there
 * before are left out: a load generator may share the namespace.
 */
export const cpuPerRequest = (
  before: CpuTicks,
  after: CpuTicks,
  requests: number,
): readonly Pick<Metric, 'name' | 'unit' | 'samples'>[] => {
  if (requests === 0) return [];
  const microseconds = (ticks: number) => (ticks / after.perSecond / requests) * 1e6;
  const spent = (kind: 'user' | 'system') =>
    [...before.processes].reduce((sum, [pid, ticks]) => {
      const now = after.processes.get(pid);
      return sum + (now === undefined ? 0 : now[kind] - ticks[kind]);
    }, 0);
  const [user, system] = [microseconds(spent('user')), microseconds(spent('system'))];
  return [
    { name: 'load.cpu', unit: 'us', samples: [user + system] },
    { name: 'load.cpu.user', unit: 'us', samples: [user] },
    { name: 'load.cpu.system', unit: 'us', samples: [system] },
    { name: 'load.cpu.interrupts', unit: 'us', samples: [microseconds(after.interrupts - before.interrupts)] },
  ];
};
