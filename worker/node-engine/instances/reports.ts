import type { DeleteRequest, DeployRequest, JobStatus } from '../../contract/job.ts';
import { maxDetail } from '../../contract/limits.ts';
import { taskId } from '../../contract/names.ts';
import { explain } from '../../system/explain.ts';
import type { Exit } from '../process/record.ts';
import { withLastLines } from '../process/tail.ts';
import { reportAcknowledged, type StatusReport } from './entry.ts';
import { logFile, type Node } from './node.ts';
import { describeExit } from './readiness.ts';

/** Sends a status to the cluster; resolves when the cluster has acknowledged it. */
export type SendStatus = (job: string, instance: number, status: JobStatus, detail: string) => Promise<void>;

/** A report about an instance; its detail is cut to the contract's length. */
export const statusReport = (
  { job_name, instance_number }: DeleteRequest,
  status: JobStatus,
  detail = '',
): StatusReport => ({
  job_name,
  instance_number,
  status,
  detail: detail.slice(0, maxDetail),
});

/** The report that an instance ended on its own, with the last lines of its output. */
export const endReport = async (job: DeployRequest, exit: Exit, when: string, node: Node): Promise<StatusReport> => {
  const task = taskId(job.job_name, job.instance_number);
  const starved = (await node.groups?.group(task).ranOutOfMemory()) ?? false;
  const completed = exit.code === 0 && job.one_shot === true;
  const why = starved ? `; the kernel ended it at its limit of ${job.memory} MB` : '';
  const detail = await withLastLines(`${node.runtime.name} ${describeExit(exit)}${when}${why}`, logFile(node, task));
  return statusReport(job, completed ? 'COMPLETED' : 'DEAD', detail);
};

/** A function that sends a report, and removes it from the journal when the cluster has acknowledged it. */
export const reporter =
  ({ journal, log }: Pick<Node, 'journal' | 'log'>, send: SendStatus) =>
  (report: StatusReport): void => {
    const { job_name: job, instance_number: instance, status, detail } = report;
    const task = taskId(job, instance);
    log.info(`${task} ${status}${detail === '' ? '' : `: ${detail}`}`);
    send(job, instance, status, detail)
      .then(() => journal.update(task, reportAcknowledged(report)))
      .catch((error: unknown) => log.error(`${task}: the status ${status} could not be sent: ${explain(error)}`));
  };
