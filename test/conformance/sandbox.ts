import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { noNamespaces } from '../support/user-namespace.ts';

const marker = 'OAKESTRA_CONFORMANCE_FOLDER';
const unshare = ['-Urnmpf', '--mount-proc'];

/** True in the process that runs the facts. */
export const insideLab: boolean = process.env[marker] !== undefined;

const run = (...[file = '', ...args]: readonly string[]) => void execFileSync(file, args);

/** The lab's own address; boards are its neighbours in the same networks. */
export const labAddress = { v4: '192.168.50.1', v6: 'fd50::1' } as const;

/**
 * Puts a folder in the place of `directory` that shows the same entries and has `names` in it: an ordinary user may
 * not make them in the real one.
 */
const addFolders = (folder: string, directory: string, names: readonly string[]): void => {
  const original = join(folder, 'host', directory);
  mkdirSync(original, { recursive: true });
  run('mount', '--bind', directory, original);
  run('mount', '-t', 'tmpfs', 'folders', directory);
  for (const name of readdirSync(original))
    if (!names.includes(name)) symlinkSync(join(original, name), join(directory, name));
  for (const name of names) mkdirSync(join(directory, name));
};

const prepare = (folder: string): void => {
  addFolders(folder, '/etc', ['oakestra', 'netmanager']);
  addFolders(folder, '/var/lib', ['oakestra']);
  addFolders(folder, '/var/cache', ['oakestra']);
  rmSync('/etc/resolv.conf');
  for (const command of [
    'link set lo up',
    'link add lab0 type bridge mcast_snooping 0',
    `addr add ${labAddress.v4}/24 dev lab0`,
    `addr add ${labAddress.v6}/64 dev lab0 nodad`,
    'link set lab0 up',
  ])
    run('ip', ...command.split(' '));
};

/**
 * Runs a chapter's facts in user, network, mount and process namespaces of their own, which make up the lab: the file
 * starts itself again in there. Nothing on the host is changed. Where that is impossible it is one skipped test with
 * its reason. `define` is given a folder for the boards' files; `beside` starts what has to run outside.
 */
export const inLab = (
  file: string,
  define: (folder: string) => void,
  beside?: (folder: string) => Promise<AsyncDisposable>,
): void => {
  const folder = process.env[marker];
  if (folder !== undefined) {
    prepare(folder);
    define(folder);
    return;
  }
  const reason = noNamespaces(...unshare);
  if (reason !== undefined) {
    t.test('namespaces', { skip: reason }, () => undefined);
    return;
  }
  const made = mkdtempSync(join(tmpdir(), 'oakc-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  if (beside !== undefined)
    t.before(async () => {
      const running = await beside(made);
      t.teardown(() => running[Symbol.asyncDispose]());
    });
  t.spawn('unshare', [...unshare, process.execPath, fileURLToPath(file)], {
    env: { ...process.env, [marker]: made },
    timeout: 1_500_000,
  });
};
