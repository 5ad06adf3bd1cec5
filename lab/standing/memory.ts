import { execOk, type Machine } from '../machine/machine.ts';

/** A line a task: the kilobytes of the processes in its network namespace, each its proportional share. */
const script = `
for task; do
	sum=0
	for pid in $(ip netns pids "$task" 2>/dev/null); do
		share=$(sed -n 's/^Pss: *\\([0-9]*\\) kB$/\\1/p' "/proc/$pid/smaps_rollup" 2>/dev/null)
		[ -n "$share" ] || share=$(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB$/\\1/p' "/proc/$pid/status" 2>/dev/null)
		sum=$((sum + \${share:-0}))
	done
	echo "$sum"
done
`;

/** The memory of instances in bytes, by task; 0 where nothing runs. */
export const memoryOf = async (
  machine: Machine,
  tasks: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> => {
  const printed = await execOk(machine, ['sh', '-c', script, 'sh', ...tasks], { signal });
  const kilobytes = printed.trim().split('\n').map(Number);
  return new Map(tasks.map((task, index) => [task, (kilobytes[index] ?? 0) * 1024]));
};
