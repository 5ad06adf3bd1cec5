import { rm } from 'node:fs/promises';

/** Removes a folder with all that is in it, also while a process that has just been killed puts a last file there. */
export const removeFolder = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
