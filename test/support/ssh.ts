import os from 'node:os';
import { findProgram } from '../../lab/system/programs.ts';

/** Why ssh and ssh-keygen do not work here, or undefined: both end at once for a user whom the system does not know. */
export const withoutSsh = (): string | undefined => {
  const missing = ['ssh', 'ssh-keygen'].find((name) => findProgram(name) === undefined);
  if (missing !== undefined) return `${missing} is not installed`;
  try {
    os.userInfo();
    return undefined;
  } catch {
    return `ssh refuses to work: user ${process.getuid?.()} has no entry in the user database`;
  }
};
