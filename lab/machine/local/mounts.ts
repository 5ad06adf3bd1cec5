import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { type BoardRoot, writeTree } from './root.ts';

/** Runs a program on the lab's side that has to succeed; the error has what it printed. */
export const run = async (file: string, args: readonly string[], signal?: AbortSignal): Promise<void> => {
  await execa(file, args, { stdin: 'ignore', ...(signal ? { cancelSignal: signal } : {}) });
};

/** A mount, and what of its flags may not be lost when it is mounted anew: the kernel refuses that as a rule. */
export type Mount = { readonly target: string; readonly flags: readonly string[] };

const lastingFlags: ReadonlySet<string> = new Set(['nosuid', 'nodev', 'noexec', 'nosymfollow']);

/** Mounts below `root` by /proc/self/mountinfo (proc_pid_mountinfo(5)), which writes blanks and the like as octal. */
export const mountsBelow = (mountinfo: string, root: string): readonly Mount[] =>
  mountinfo.split('\n').flatMap((line) => {
    const [, , , , target = '', flags = ''] = line.split(' ');
    const plain = target.replace(/\\([0-7]{3})/g, (_all, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    return plain.startsWith(`${root}/`)
      ? [{ target: plain, flags: flags.split(',').filter((flag) => lastingFlags.has(flag)) }]
      : [];
  });

/** What a board may write to beside its root, which is a tmpfs: its own devices, its processes and its network. */
const writable: readonly string[] = ['dev', 'dev/pts', 'proc', 'proc/sys/net'];

/** Devices without a state that anybody else could notice; what is made by `net/tun` is in the board's own network. */
const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'net/tun'];

const deviceScript = `
set -e
cd "$1"
shift
mount -t tmpfs -o mode=0755,nosuid devices dev
mkdir dev/net dev/pts dev/shm
chmod 1777 dev/shm
for name; do
	[ -e "/dev/$name" ] || continue
	: >"dev/$name"
	mount --bind "/dev/$name" "dev/$name"
done
mount -t devpts -o newinstance,nosuid,noexec,mode=0620,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
`;

/** Makes the root file system on a tmpfs in the lab's own mount namespace. */
export const mountRoot = async (root: string, { entries, binds }: BoardRoot, signal: AbortSignal): Promise<void> => {
  await fs.mkdir(root, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', 'mode=0755', 'board', root], signal);
  writeTree(root, entries);
  for (const [from, to] of binds) {
    const target = path.join(root, to);
    if ((await fs.stat(from)).isDirectory()) await fs.mkdir(target, { recursive: true });
    await run('mount', ['--rbind', from, target], signal);
  }
  await run('sh', ['-c', deviceScript, 'sh', root, ...devices], signal);
};

/** What in /proc beside processes can be written to or has something that can, such as `sys` and `sysrq-trigger`. */
const settingsOf = async (proc: string): Promise<readonly string[]> => {
  const entries = await fs.readdir(proc, { withFileTypes: true });
  const found = await Promise.all(
    entries
      .filter(({ name }) => !/^\d+$/.test(name))
      .map(async (entry) => {
        const file = path.join(proc, entry.name);
        if (entry.isDirectory()) return [file];
        return entry.isFile() && ((await fs.stat(file)).mode & 0o222) !== 0 ? [file] : [];
      }),
  );
  return found.flat();
};

const bindScript = 'for place; do mount --bind "$place" "$place" || exit 1; done';
/** Arguments in pairs: flags with a comma before each, and a mount's place. */
const sealScript = `
while [ $# -gt 0 ]; do
	mount -o "remount,bind,ro$1" "$2" || exit 1
	shift 2
done
`;

/**
 * Shows a board its own processes and devices, and makes everything read-only that is this computer's: each mount by
 * itself, as a bind mount takes none of the mounts below along, and as util-linux before 2.39 knows no recursive
 * option. Only settings of the board's network can be written. Of the board's namespaces, those of the process `pid`,
 * the one for mounts may not be there yet: as it belongs to another user namespace, it has all this locked.
 */
export const sealRoot = async (root: string, pid: number, signal: AbortSignal): Promise<void> => {
  const [proc, sys] = [path.join(root, 'proc'), path.join(root, 'sys')];
  const as = (namespace: string) => ['--target', `${pid}`, namespace, 'mount', '-t'];
  // a proc and a sysfs are those of the namespaces of whoever mounts them
  // in a container the one in sight may be read-only, and then a new one has to be (kernel: mount_too_revealing)
  await run('nsenter', [...as('--net'), 'sysfs', '-o', 'ro', 'sysfs', sys], signal);
  await run('nsenter', [...as('--pid'), 'proc', 'proc', proc], signal);
  const settings = [...(await settingsOf(proc)), path.join(proc, 'sys/net')];
  await run('sh', ['-c', bindScript, 'sh', ...settings], signal);
  const open = new Set(writable.map((name) => path.join(root, name)));
  const mounts = mountsBelow(await fs.readFile('/proc/self/mountinfo', 'utf8'), root);
  const sealed = mounts.filter(({ target }) => !open.has(target));
  const words = sealed.flatMap(({ target, flags }) => [flags.map((flag) => `,${flag}`).join(''), target]);
  await run('sh', ['-c', sealScript, 'sh', ...words], signal);
};
