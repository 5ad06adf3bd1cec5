import fs from 'node:fs/promises';
import path from 'node:path';

/** File in a run's folder that holds the id of the board's first process. */
export const pidFile = 'board.pid';

/** The words before a command that is to run on the board of this computer whose first process is `pid`. */
export const enterBoard = (pid: number): readonly string[] => {
  const namespaces = ['--user', '--mount', '--net', '--pid', '--uts', '--ipc'];
  // an ordinary user's board has no groups that could be set, and whoever made it is its root already
  return ['nsenter', '--target', `${pid}`, '--preserve-credentials', ...namespaces, '--'];
};

/**
 * The words before a command that is to run on a kept board of this computer, from outside of the lab's namespaces;
 * undefined when the run in `folder` is no such board.
 */
export const enterKept = async (folder: string): Promise<readonly string[] | undefined> => {
  const pid = await fs.readFile(path.join(folder, pidFile), 'utf8').catch(() => undefined);
  return pid === undefined ? undefined : enterBoard(Number(pid));
};
