import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isOwnProcess } from '../../system/users.ts';

/** A process that cannot be mistaken for a later one with the same number: `start` is in clock ticks since boot. */
export type ProcessId = { readonly pid: number; readonly start: number };

/** What /proc/<pid>/stat says (proc(5)): one letter of state, CPU time and start in clock ticks, size. */
type ProcStat = {
  readonly state: string;
  readonly cpuTicks: number;
  readonly start: number;
  /** Bytes of its address space; none for a thread of the kernel. */
  readonly size: number;
};

/** Parses /proc/<pid>/stat; the command's name in it may hold spaces and brackets. */
export const parseProcStat = (text: string): ProcStat => {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '',
    cpuTicks: Number(fields[11] ?? 0) + Number(fields[12] ?? 0),
    start: Number(fields[19] ?? 0),
    size: Number(fields[20] ?? 0),
  };
};

/** The process's stat, or undefined when there is no such process, or only its remains. */
export const procStat = async (pid: number): Promise<ProcStat | undefined> => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const stat = parseProcStat(text);
  return stat.state === 'Z' || stat.state === 'X' ? undefined : stat;
};

/** True while that very process runs. */
export const isRunning = async (id: ProcessId): Promise<boolean> => (await procStat(id.pid))?.start === id.start;

/** Sends a signal to that very process; false when it is gone. */
export const signalProcess = async (id: ProcessId, signal: NodeJS.Signals): Promise<boolean> => {
  if (!(await isRunning(id))) return false;
  try {
    return process.kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
};

/** How often an environment is read that seems to be empty, and the pause between two looks in ms. */
const environmentLooks = { times: 10, pauseMs: 10 } as const;

/**
 * The environment that a process was started with; empty where there is none to read. The kernel shows none while a
 * process becomes another program (execve(2)), so that one that seems to have none is looked at again.
 */
const environmentOf = async (pid: number): Promise<string> => {
  for (let looks = 1; ; looks += 1) {
    const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => undefined);
    if (text !== '') return text ?? '';
    const size = (await procStat(pid))?.size ?? 0;
    if (size === 0 || looks === environmentLooks.times) return '';
    await sleep(environmentLooks.pauseMs);
  }
};

/**
 * Processes of this worker that carry `NAME=value` in the environment that they were started with, by value. Any user
 * can start a process with any environment: one of theirs is none of ours, whatever it carries.
 */
export const processesMarked = async (name: string): Promise<ReadonlyMap<string, ProcessId>> => {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid): Promise<readonly [string, ProcessId] | undefined> => {
      const environment = await environmentOf(pid);
      const entry = environment.split('\0').find((one) => one.startsWith(`${name}=`));
      const isOwn = entry !== undefined && isOwnProcess(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
      const stat = isOwn ? await procStat(pid) : undefined;
      return entry === undefined || stat === undefined
        ? undefined
        : [entry.slice(name.length + 1), { pid, start: stat.start }];
    }),
  );
  return new Map(found.filter((one) => one !== undefined));
};
