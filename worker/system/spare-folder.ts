import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** Where what belongs into a daemon's state folder goes while that cannot be written: in memory (tmpfs). */
export const spareFolder = (daemon: string, state: string): string =>
  join('/run/oakestra', daemon, createHash('sha256').update(resolve(state)).digest('hex').slice(0, 16));
