import { copyFile, stat, truncate } from 'node:fs/promises';

/** Size in bytes from which an instance's output is set aside. */
const mostLogBytes = 10 * 1024 * 1024;

/**
 * Sets a file aside as `<file>.1` when it has reached `most` bytes, and empties it. It is copied, not renamed: the
 * instance goes on writing to the file it has open, always at its end. True when that was done.
 */
export const rotate = async (file: string, most = mostLogBytes): Promise<boolean> => {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size < most) return false;
  await copyFile(file, `${file}.1`);
  await truncate(file);
  return true;
};
