import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { type LabError, labFault } from '../../system/errors.ts';
import { networkCommands } from '../../system/packages/network-tools.ts';
import { findProgram, systemFolders } from '../../system/programs.ts';
import { enteredMark, hasEntered } from '../entered.ts';

const lasting = ['--user', '--map-root-user', '--net', '--mount'] as const;

/** Programs of util-linux, procps and coreutils that no package of the lab's can stand in for. */
const needed = ['unshare', 'nsenter', 'mount', 'umount', 'pivot_root', 'setsid', 'ps', 'find', 'sed'] as const;
const replaceable = ['ip', 'nft', 'curl', 'ping', 'tc'] as const;
/** Without it a failure's report has no packets; nothing else needs it. */
const recorder = 'tcpdump';

/** Kernel settings by which distributions forbid user namespaces, each with the value that forbids and one that allows. */
const settings = [
  { key: 'kernel.apparmor_restrict_unprivileged_userns', forbids: '1', allows: '0' },
  { key: 'kernel.unprivileged_userns_clone', forbids: '0', allows: '1' },
  { key: 'user.max_user_namespaces', forbids: '0', allows: '15000' },
] as const;

/** What to set so that this computer allows namespaces, given its kernel settings. */
export const remedies = (setting: (key: string) => string | undefined): readonly string[] => {
  const found = settings.filter(({ key, forbids }) => setting(key) === forbids);
  return found.length > 0
    ? found.map(({ key, allows }) => `sudo sysctl ${key}=${allows}`)
    : [
        'inside a container: start it with --security-opt seccomp=unconfined --security-opt systempaths=unconfined',
        'or use another machine: --machine virt',
      ];
};

const kernelSetting = (key: string): string | undefined => {
  try {
    return readFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return undefined;
  }
};

/**
 * Folders in which this host's own network programs, or those of the lab's packages, are found. Only what stands in a
 * system folder counts as the host's own: a board sees no other folder of PATH.
 */
const searchPath = async (signal: AbortSignal): Promise<string> => {
  const own = [process.env['PATH'] ?? '', ...systemFolders];
  const isMissing = (name: string) => findProgram(name, systemFolders) === undefined;
  if (replaceable.some(isMissing)) own.push(await networkCommands(signal));
  else if (isMissing(recorder))
    own.push(
      ...(await networkCommands(signal).then(
        (folder) => [folder],
        () => [],
      )),
    );
  return own.join(':');
};

/** Why this computer cannot make a board out of namespaces: what it lacks or forbids, and what to do about it. */
export const namespaceTrouble = async (signal: AbortSignal): Promise<LabError | undefined> => {
  const lacking = needed.filter((name) => findProgram(name) === undefined);
  if (lacking.length > 0)
    return labFault(`the machine 'local' needs programs that are not installed here: ${lacking.join(', ')}`, [
      'install util-linux, procps and findutils, or use another machine: --machine virt',
    ]);
  // the board's own are made within the lab's; a container that hides parts of /proc allows no other one
  // none of them over a folder that PATH may lead to
  const mounts = 'mount -t tmpfs lab /sys && mount -t sysfs -o ro lab /sys && mount -t proc lab /proc';
  const nested = ['unshare', ...lasting, '--pid', '--fork', 'sh', '-c', mounts];
  const attempt = await execa('unshare', [...lasting, ...nested], {
    reject: false,
    stdin: 'ignore',
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  if (attempt.exitCode === 0) return undefined;
  return labFault(
    `this computer forbids the namespaces that the machine 'local' is made of: ${attempt.stderr.trim()}`,
    remedies(kernelSetting),
  );
};

/**
 * Moves this process into user, network and mount namespaces of its own, in which an ordinary user may make devices
 * and mounts: the program is replaced by itself (same process id, same arguments). Returns when it is there already.
 * Throws a lab fault that names the setting where this computer forbids that, or the programs that it lacks.
 */
export const enterNamespaces = async (signal: AbortSignal): Promise<void> => {
  if (hasEntered()) return;
  const trouble = await namespaceTrouble(signal);
  if (trouble) throw trouble;
  const unshare = findProgram('unshare') ?? '';
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const environment = { ...process.env, PATH: await searchPath(signal), [enteredMark]: '1' };
  process.execve?.(unshare, [unshare, ...lasting, '--', ...self], environment);
};
