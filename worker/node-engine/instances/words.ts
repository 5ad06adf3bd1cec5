import type { DeleteRequest, DeployRequest, JobStatus } from '../../contract/job.ts';
import { maxDetail } from '../../contract/limits.ts';
import { taskId } from '../../contract/names.ts';
import { explain } from '../../system/explain.ts';
import type { Exit } from '../process/launch.ts';
import { withLastLines } from '../process/tail.ts';
import { told, type Word } from './entry.ts';
import { logFile, type Node } from './node.ts';
import { describeExit } from './readiness.ts';

/** Tells the cluster of a change; resolves when the cluster has acknowledged it. */
export type Report = (job: string, instance: number, status: JobStatus, detail: string) => Promise<void>;

/** What is said of an instance. */
export const wordOf = ({ job_name, instance_number }: DeleteRequest, status: JobStatus, detail = ''): Word => ({
  job_name,
  instance_number,
  status,
  detail: detail.slice(0, maxDetail),
});

/** How an instance ended that nobody has ordered to end, with the last lines of its output. */
export const endOf = async (job: DeployRequest, exit: Exit, when: string, node: Node): Promise<Word> => {
  const task = taskId(job.job_name, job.instance_number);
  const starved = (await node.groups?.group(task).ranOutOfMemory()) ?? false;
  const completed = exit.code === 0 && job.one_shot === true;
  const why = starved ? `; the kernel ended it at its limit of ${job.memory} MB` : '';
  const detail = await withLastLines(`${node.runtime.name} ${describeExit(exit)}${when}${why}`, logFile(node, task));
  return wordOf(job, completed ? 'COMPLETED' : 'DEAD', detail);
};

/** A function that tells a word, and forgets that it was owed when the cluster has acknowledged it. */
export const teller =
  ({ journal, log }: Pick<Node, 'journal' | 'log'>, report: Report) =>
  (word: Word): void => {
    const { job_name: job, instance_number: instance, status, detail } = word;
    const task = taskId(job, instance);
    log.info(`${task} ${status}${detail === '' ? '' : `: ${detail}`}`);
    report(job, instance, status, detail)
      .then(() => journal.update(task, told(word)))
      .catch((error: unknown) => log.error(`${task}: the status ${status} could not be sent: ${explain(error)}`));
  };
