/** Kills processes by their pids; one that has ended meanwhile is no trouble. */
export const killAll = (pids: readonly string[]): void => {
  for (const pid of pids)
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
};
