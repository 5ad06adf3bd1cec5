import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import type { KeptMachine } from '../kept.ts';

/** File in a run's folder that holds the id of the board's first process. */
export const pidFile = 'board.pid';

const boardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The words before a command that is to run on the board of this computer whose first process is `pid`. */
export const enterBoard = (pid: number): readonly [string, ...string[]] => {
  const namespaces = ['--user', '--mount', '--net', '--pid', '--uts', '--ipc'];
  // an ordinary user's board has no groups that could be set, and whoever made it is its root already
  return ['nsenter', '--target', `${pid}`, '--preserve-credentials', ...namespaces, '--'];
};

/** The kept board of this computer whose run has this folder, from outside of the lab's namespaces; undefined for others. */
export const keptBoard = async (folder: string, exec?: KeptMachine['exec']): Promise<KeptMachine | undefined> => {
  const pid = await fs.readFile(path.join(folder, pidFile), 'utf8').catch(() => undefined);
  if (pid === undefined) return undefined;
  const [file, ...enter] = enterBoard(Number(pid));
  return {
    exec:
      exec ??
      (async (argv, signal) => {
        const { exitCode, stdout, stderr } = await execa(file, [...enter, ...argv], {
          env: { HOME: '/root', PATH: boardPath },
          reject: false,
          stripFinalNewline: false,
          cancelSignal: signal,
        });
        return { code: exitCode ?? 255, stdout, stderr };
      }),
    shell: async (instance, signal) => {
      const inside = instance === undefined ? [] : ['ip', 'netns', 'exec', instance];
      await execa(file, [...enter, ...inside, 'sh'], { stdio: 'inherit', reject: false, cancelSignal: signal });
    },
  };
};
