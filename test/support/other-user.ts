import { execFileSync } from 'node:child_process';
import { messageOf } from '../../lab/system/errors.ts';

/** A user id without an entry in the user database, for what root does as somebody else. */
export const otherUser = 54_321;

/** Why no process of {@link otherUser} can be started from this checkout; false when one can. */
export const withoutOtherUser = (): string | false => {
  if (process.getuid?.() !== 0) return 'only root can be another user';
  try {
    execFileSync(process.execPath, ['--version'], { uid: otherUser, gid: otherUser, stdio: 'ignore' });
    return false;
  } catch (error) {
    return `no other user can start this checkout's Node: ${messageOf(error)}`;
  }
};
