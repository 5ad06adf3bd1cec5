import { runOnGithub } from '../report/formats/github.ts';
import { tellGithub } from '../report/github.ts';
import type { Results } from '../report/model/results.ts';
import { entryMark } from '../system/runs.ts';

/** Tells GitHub of a run in a job there; of a suite's runs the suite tells. */
export const tellOfRun = async (results: Results): Promise<void> => {
  if (process.env[entryMark] === undefined) await tellGithub(runOnGithub(results));
};
