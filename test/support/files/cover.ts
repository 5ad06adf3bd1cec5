import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { cacheRoot } from '../../../lab/system/files/cache.ts';

const repository = fileURLToPath(new URL('../../../', import.meta.url));

/** What a test goes on to use, wherever it lies: this checkout, the cache, and the folder for temporary files. */
const needed = (): readonly string[] =>
  [repository, cacheRoot(), os.tmpdir()].flatMap((folder) => {
    try {
      return [realpathSync(folder)];
    } catch {
      return [];
    }
  });

/** Mounts an empty folder over `place`, in this mount namespace; what tests use below it stays where it was. */
export const coverFolder = (place: string): void => {
  const below = needed().filter((folder) => folder.startsWith(`${place}/`));
  const held = below.map((folder) => [folder, openSync(folder, 'r')] as const);
  execFileSync('mount', ['-t', 'tmpfs', 'cover', place]);
  for (const [folder, fd] of held) {
    mkdirSync(folder, { recursive: true });
    // as it is written: the path that the link shows is covered now
    execFileSync('mount', ['--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${fd}`, folder]);
    closeSync(fd);
  }
};
