import { constants } from 'node:fs';
import { copyFile, open, rm } from 'node:fs/promises';

/** Size in bytes from which an instance's output is set aside. */
const mostLogBytes = 10 * 1024 * 1024;

/**
 * Sets a file aside as `<file>.1` when it has reached `most` bytes, and empties it. It is copied, not renamed: the
 * instance goes on writing to the file it has open, always at its end. True when that was done. Where it cannot be
 * copied, it is emptied all the same and this rejects with why. Links are never followed.
 */
export const rotate = async (file: string, most = mostLogBytes): Promise<boolean> => {
  await using log = await open(file, constants.O_RDWR | constants.O_NOFOLLOW).catch(() => undefined);
  if (log === undefined || (await log.stat()).size < most) return false;
  try {
    await rm(`${file}.1`, { force: true });
    // by its descriptor: the name may have become another file's
    await copyFile(`/proc/self/fd/${log.fd}`, `${file}.1`, constants.COPYFILE_EXCL);
  } finally {
    await log.truncate();
  }
  return true;
};
