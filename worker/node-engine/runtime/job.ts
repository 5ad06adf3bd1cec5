import { InvalidData } from '../../contract/check.ts';
import type { DeployRequest } from '../../contract/job.ts';
import { parsePorts } from '../../contract/ports.ts';
import { environmentOf } from './environment.ts';

/** Asks before anything is done whether a job can be run at all, by whatever runtime. Throws {@link InvalidData}. */
export const checkJob = (job: DeployRequest): void => {
  parsePorts(job.port ?? '');
  environmentOf(job.environment ?? []);
  for (const argument of job.cmd ?? [])
    if (argument.includes('\0')) throw new InvalidData('cmd', ['an argument holds a zero byte']);
};
