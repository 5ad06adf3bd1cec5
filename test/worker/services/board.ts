import { execFile, execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildWorker } from '../../../lab/image/worker-bundle.ts';
import { coverFolder } from '../../support/files/cover.ts';

/** What an image adds to a distribution: start scripts, units, default configuration. */
export const overlay = fileURLToPath(new URL('../../../buildroot/overlay', import.meta.url));

const upper = '/run/board';

const cover = async (place: string, lower: readonly string[]): Promise<void> => {
  const [changes, work] = [join(upper, place, 'changes'), join(upper, place, 'work')];
  await mkdir(changes, { recursive: true });
  await mkdir(work, { recursive: true });
  const layers = [...lower, place].join(':');
  execFileSync('mount', [
    '-t',
    'overlay',
    '-o',
    `lowerdir=${layers},upperdir=${changes},workdir=${work}`,
    'overlay',
    place,
  ]);
};

/** True when a file system can be laid over another one in a user namespace. */
export const overlaysWork = (): boolean => {
  const words = ['mount', '-t', 'overlay', '-o', `lowerdir=${overlay}:/usr`, 'overlay', '/usr'];
  try {
    execFileSync('unshare', ['-Urm', ...words], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/**
 * Makes this mount namespace look like a board with the worker installed: its files over /usr and /etc, nothing in
 * /var. Needs an empty /run, and whatever is changed stays there.
 */
export const installWorker = async (wasmtime: string): Promise<void> => {
  const programs = join(upper, 'programs');
  await mkdir(join(programs, 'bin'), { recursive: true });
  await buildWorker(join(programs, 'lib/oakestra'));
  await symlink(process.execPath, join(programs, 'bin/node'));
  await symlink(wasmtime, join(programs, 'bin/wasmtime'));
  await cover('/usr', [join(overlay, 'usr'), programs]);
  await cover('/etc', [join(overlay, 'etc')]);
  coverFolder('/var');
};

/** How a command ended and what it said. */
export const tell = (file: string, ...args: readonly string[]): Promise<{ code: number; text: string }> =>
  new Promise((resolve) => {
    // Without what the test runner adds to every process of Node's.
    const env = { PATH: process.env['PATH'] };
    execFile(file, args, { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, text: stdout + stderr });
    });
  });
