import type { DeleteRequest } from '../../contract/job.ts';
import { parseTaskId } from '../../contract/names.ts';
import { adopt, markVariable, type Running, stop } from '../process/launch.ts';
import { outputMark } from '../process/output.ts';
import { processesMarked } from '../process/proc.ts';
import { undoNetwork } from './deploy.ts';
import { type Duty, dutyOf, type Entry } from './entry.ts';
import { holderMark, stopHolder } from './holder.ts';
import { type Instance, newInstance } from './instance.ts';
import type { Node } from './node.ts';

/** What an earlier engine left of an instance, and what has to be done about it. */
type Adopted = {
  readonly task: string;
  readonly request: DeleteRequest;
  readonly entry: Entry;
  readonly duty: Duty;
  /** Absent when nothing but words is left. */
  readonly instance: Instance | undefined;
  readonly running: Running | undefined;
};

/**
 * What an earlier engine left on this node: how to undo it is on each instance's stack. Their processes are watched
 * until `signal` aborts.
 */
export const adoptInstances = async (node: Node, signal: AbortSignal): Promise<readonly Adopted[]> => {
  const { journal, network, groups } = node;
  const [entries, processes, holders, writers] = await Promise.all([
    journal.read(),
    processesMarked(markVariable),
    processesMarked(holderMark),
    processesMarked(outputMark),
  ]);
  return [...entries].map(([task, entry]): Adopted => {
    const { job } = entry;
    const mark = journal.file(task);
    const id = processes.get(mark);
    const duty = dutyOf(entry, id !== undefined);
    const [job_name, instance_number] = parseTaskId(task);
    const request = { job_name, instance_number };
    if (job === undefined) return { task, request, entry, duty, instance: undefined, running: undefined };
    const instance = newInstance(job);
    const holder = holders.get(mark);
    if (holder !== undefined) instance.undo.push('the namespace', () => stopHolder(holder));
    if (network !== undefined) undoNetwork(job, network, instance.undo);
    const running = id && adopt(id, writers.get(mark), journal.record(task), signal);
    if (groups !== undefined) instance.undo.push('the control group', groups.group(task).remove);
    if (running !== undefined) instance.undo.push('the process', () => stop(running));
    return { task, request, entry, duty, instance, running };
  });
};
