import type { DeployRequest } from '../../contract/job.ts';
import { isServiceName } from '../../contract/names.ts';
import { checkJob } from '../runtime/job.ts';
import { UndoStack } from './undo.ts';
import type { InstanceUsage } from './usage.ts';

/** One instance of a job, on its way up, running or on its way down. */
export type Instance = {
  readonly job: DeployRequest;
  readonly undo: UndoStack;
  readonly abort: AbortController;
  /** False while its network is missing: then it is not said to run. */
  reachable: boolean;
  /** Set while the instance runs: never before it was ready, never after it has ended. */
  usage: ((memoryTotal: number) => Promise<InstanceUsage>) | undefined;
};

/** A job's instance of which nothing is made yet. */
export const newInstance = (job: DeployRequest): Instance => ({
  job,
  undo: new UndoStack(),
  abort: new AbortController(),
  reachable: true,
  usage: undefined,
});

/** Why an engine that ends breaks deployments off. They are still owed an answer then, which the next engine gives. */
export class EngineStopping extends Error {
  override readonly name = 'EngineStopping';
}

/** A job that this node cannot run. */
export class JobRejected extends Error {
  override readonly name = 'JobRejected';
}

/** Asks before anything is done whether a node that has `runtimes` can run a job. Throws {@link JobRejected}. */
export const checkHere = (job: DeployRequest, runtimes: readonly string[]): void => {
  if (!isServiceName(job.job_name))
    throw new JobRejected('a job name has four parts of 1 to 30 letters and digits, joined by dots');
  if (!runtimes.includes(job.virtualization))
    throw new JobRejected(`unknown runtime '${job.virtualization}': this node has ${runtimes.join(', ')}`);
  checkJob(job);
};
