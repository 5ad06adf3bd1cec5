import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Run } from '../../report/model/results.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const git = (...args: readonly string[]) => execa('git', args, { cwd: root, reject: false, stdin: 'ignore' });

/** Which revision of the lab this is. Unknown outside of a git checkout. */
export const revision = async (): Promise<Run['revision']> => {
  const [head, status] = await Promise.all([git('rev-parse', 'HEAD'), git('status', '--porcelain')]);
  return head.exitCode === 0
    ? { commit: head.stdout.trim(), dirty: status.stdout !== '' }
    : { commit: 'unknown', dirty: false };
};

/** When each commit of this checkout was made, in ms since 1970, no two at the same time. Empty outside of a git checkout. */
export const commitTimes = async (): Promise<ReadonlyMap<string, number>> => {
  const { stdout, exitCode } = await git('log', '--all', '--date-order', '--reverse', '--format=%H %ct');
  const times = new Map<string, number>();
  let last = 0;
  for (const line of exitCode === 0 ? stdout.split('\n') : []) {
    const [commit = '', seconds] = line.split(' ');
    // commits that were rebased together have the same second
    last = Math.max(last + 1, Number(seconds) * 1000);
    times.set(commit, last);
  }
  return times;
};

/** What this computer is, as far as it may matter to a figure. */
export const host = (): Run['host'] => ({
  platform: `${os.type()} ${os.arch()}`,
  kernel: os.release(),
  cpus: os.availableParallelism(),
  node: process.version,
});
