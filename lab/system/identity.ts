import fs from 'node:fs';

/** `pid start-time`: a pid alone may have been given to another process meanwhile. Undefined when there is none. */
export const identityOf = (pid: number | string): string | undefined => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${pid} ${fields[19]}`;
  } catch {
    return undefined;
  }
};
