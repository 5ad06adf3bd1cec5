import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What `unshare` is told, to make the lab's namespaces. */
export const labNamespaces = ['-Urnmpf', '--mount-proc'] as const;

const run = (...[file = '', ...args]: readonly string[]) => void execFileSync(file, args);

/** The lab's own address; boards are its neighbours in the same networks. */
export const labAddress = { v4: '192.168.50.1', v6: 'fd50::1' } as const;

/**
 * Puts a folder in the place of `directory` that shows the same entries and has `names` in it: an ordinary user may
 * not make them in the real one.
 */
const addFolders = (folder: string, directory: string, names: readonly string[]): void => {
  const original = join(folder, 'host', directory);
  mkdirSync(directory, { recursive: true });
  mkdirSync(original, { recursive: true });
  run('mount', '--bind', directory, original);
  run('mount', '-t', 'tmpfs', 'folders', directory);
  for (const name of readdirSync(original))
    if (!names.includes(name)) symlinkSync(join(original, name), join(directory, name));
  for (const name of names) mkdirSync(join(directory, name));
};

/** Makes the lab of fresh namespaces: its network, and folders where workers look for their files. */
export const makeLab = (folder: string): void => {
  addFolders(folder, '/etc', ['oakestra', 'netmanager']);
  addFolders(folder, '/var/lib', ['oakestra']);
  addFolders(folder, '/var/cache', ['oakestra']);
  rmSync('/etc/resolv.conf', { force: true });
  for (const command of [
    'link set lo up',
    'link add lab0 type bridge mcast_snooping 0',
    `addr add ${labAddress.v4}/24 dev lab0`,
    `addr add ${labAddress.v6}/64 dev lab0 nodad`,
    'link set lab0 up',
  ])
    run('ip', ...command.split(' '));
};
