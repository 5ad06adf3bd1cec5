import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Run } from '../../report/model/results.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Which revision of the lab this is. Unknown outside of a git checkout. */
export const revision = async (): Promise<Run['revision']> => {
  const git = (...args: readonly string[]) => execa('git', args, { cwd: root, reject: false, stdin: 'ignore' });
  const [head, status] = await Promise.all([git('rev-parse', 'HEAD'), git('status', '--porcelain')]);
  return head.exitCode === 0
    ? { commit: head.stdout.trim(), dirty: status.stdout !== '' }
    : { commit: 'unknown', dirty: false };
};

/** What this computer is, as far as it may matter to a figure. */
export const host = (): Run['host'] => ({
  platform: `${os.type()} ${os.arch()}`,
  kernel: os.release(),
  cpus: os.availableParallelism(),
  node: process.version,
});
