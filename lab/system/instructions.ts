/** One tick of the counter that clocks are read from: 62.5 MHz on both machines of QEMU's, at 1 instruction a ns. */
export const tickInstructions = 16;

/**
 * Instructions that a guest with one processor has executed since it was switched on, out of its `/proc/timer_list`. With
 * `-icount shift=0` QEMU's clock goes on by 1 ns an instruction, and while the processor is idle it jumps to the next
 * timer: instructions are the clock without what the kernel counted as idle (kernel/time/tick-sched.c). Throws when the
 * text has not what is needed.
 */
export const executedInstructions = (timerList: string): number => {
  const [, now] = /^now at (\d+) nsecs$/m.exec(timerList) ?? [];
  const idle = [...timerList.matchAll(/^\s*\.(?:idle|iowait)_sleeptime\s*:\s*(\d+)/gm)];
  if (now === undefined || idle.length === 0) throw new Error('/proc/timer_list has no clock, or no time of idleness');
  return Number(now) - idle.reduce((sum, [, ns]) => sum + Number(ns), 0);
};
