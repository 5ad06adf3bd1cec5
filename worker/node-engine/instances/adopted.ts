import { basename } from 'node:path';
import type { DeleteRequest } from '../../contract/job.ts';
import { isServiceName, parseTaskId } from '../../contract/names.ts';
import { adopt, markVariable, type Running, stop } from '../process/launch.ts';
import { outputMark } from '../process/output.ts';
import { processesMarked } from '../process/proc.ts';
import { undoNetwork } from './deploy.ts';
import { type Duty, deploymentOrdered, dutyOf, type Entry, emptyEntry, instanceEnded } from './entry.ts';
import { type Instance, newInstance } from './instance.ts';
import type { Journal } from './journal.ts';
import { holderMark, stopHolder } from './network/holder.ts';
import type { Node } from './node.ts';
import { statusReport } from './reports.ts';

/** What an earlier engine left of an instance, and what has to be done about it. */
export type Adopted = {
  readonly task: string;
  readonly request: DeleteRequest;
  readonly entry: Entry;
  readonly duty: Duty;
  /** Absent when nothing but pending reports is left. */
  readonly instance: Instance | undefined;
  readonly running: Running | undefined;
};

/**
 * What runs under this engine's mark although nothing is written down of it any more, because somebody has removed the
 * state folder or a disk has lost it: it has to go, and that is reported.
 */
const forgotten = (
  marks: Iterable<string>,
  known: ReadonlyMap<string, Entry>,
  journal: Journal,
): ReadonlyMap<string, Entry> => {
  const tasks = [...marks]
    .map((mark) => ({ mark, task: basename(mark, '.json') }))
    .filter(({ mark, task }) => journal.file(task) === mark && !known.has(task))
    .map(({ task }) => ({ task, named: parseTaskId(task) }))
    .filter(({ named: [service] }) => isServiceName(service));
  return new Map(
    tasks.map(({ task, named: [job_name, instance_number] }) => {
      const job = { job_name, instance_number, image: 'unknown', virtualization: 'wasm' };
      const report = statusReport(job, 'DEAD', 'what this node had written down of it is lost: it was ended');
      return [task, instanceEnded(report)(deploymentOrdered(job)(emptyEntry))];
    }),
  );
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
  const lost = forgotten([...processes.keys(), ...holders.keys()], entries, journal);
  return [...entries, ...lost].map(([task, entry]): Adopted => {
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
