import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Prefix, run } from '../../support/network.ts';
import { labAddress } from './namespaces.ts';

/** A computer for one worker: namespaces of its own behind an uplink. Disposing of it ends everything in it. */
export type Board = AsyncDisposable & {
  readonly v4: string;
  readonly v6: string;
  /** Runs a command on the board. */
  readonly here: Prefix;
  /** Runs a command in a named network namespace of the board. */
  readonly inside: (namespace: string) => Prefix;
  /** Where a file of the board lies for its tests. */
  readonly outside: (path: string) => string;
  /** The board's folder for output, for both. */
  readonly logs: string;
  /** True when the board has a file. */
  readonly has: (path: string) => Promise<boolean>;
  /** Everything on the board that a deployment could leave behind. */
  readonly footprint: () => Promise<Readonly<Record<string, unknown>>>;
};

/** Folders of the board and where their contents lie in the board's folder. */
const folders = {
  '/etc/oakestra': 'oakestra',
  '/etc/netmanager': 'oakestra/netmanager',
  '/var/lib/oakestra': 'lib',
  '/var/cache/oakestra': 'cache',
} as const;

// The process whose id is read is the shell; as process 1 of the board it must not keep the orphans that it is given.
const init = `
set -e
read -r pid rest </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs run /run
mkdir /run/netns
while [ $# -gt 0 ]; do mount --bind "$2" "$1"; shift 2; done
ip link set lo up
echo "$pid"
trap '' CHLD
exec cat
`;

let boards = 0;

const attach = async (pid: number, number: number, v4: string, v6: string): Promise<void> => {
  const port = `board${number}`;
  const ip = (...words: readonly string[]) => run('nsenter', `--net=/proc/${pid}/ns/net`, '--', 'ip', ...words);
  await run('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
  await run('ip', 'link', 'set', port, 'master', 'lab0', 'up');
  await ip('addr', 'add', `${v4}/24`, 'dev', 'eth0');
  await ip('addr', 'add', `${v6}/64`, 'dev', 'eth0', 'nodad');
  await ip('link', 'set', 'eth0', 'up');
  await ip('route', 'add', 'default', 'via', labAddress.v4);
  await ip('route', 'add', 'default', 'via', labAddress.v6);
};

/** Opens a board whose files lie below `parent`. */
export const openBoard = async (parent: string): Promise<Board> => {
  boards += 1;
  const number = boards;
  const folder = join(parent, `b${number}`);
  const logs = join(folder, 'logs');
  await mkdir(logs, { recursive: true });
  const binds = Object.entries(folders).map(([place, name]) => [place, join(folder, name)] as const);
  for (const [, source] of binds) await mkdir(source, { recursive: true });
  const child = execFile('unshare', ['-nmp', '--fork', '--kill-child', 'sh', '-c', init, 'sh', ...binds.flat()]);
  let stderr = '';
  child.stderr?.on('data', (text) => (stderr += String(text)));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.stdout?.once('data', (text) => resolve(String(text).trim()));
  child.once('exit', (code) => reject(new Error(`the board could not be made (${code}): ${stderr}`)));
  const pid = Number(await promise);
  const [v4, v6] = [`192.168.50.${number + 1}`, `fd50::${(number + 1).toString(16)}`];
  await attach(pid, number, v4, v6);
  const here = ['nsenter', '-t', String(pid), '-n', '-m', '-p', '--'];
  const onBoard = (...words: readonly string[]) => run(...here, ...words);
  const outside = (path: string) => {
    const bind = binds.toSorted((a, b) => b[0].length - a[0].length).find(([place]) => path.startsWith(`${place}/`));
    return bind ? join(bind[1], path.slice(bind[0].length)) : join('/proc', String(pid), 'root', path);
  };
  return {
    v4,
    v6,
    here,
    inside: (namespace) => [...here, 'nsenter', `--net=/run/netns/${namespace}`, '--'],
    outside,
    logs,
    has: (path) =>
      access(outside(path)).then(
        () => true,
        () => false,
      ),
    footprint: async () => {
      const [links, addresses, v4routes, v6routes, rules, namespaces] = await Promise.all([
        onBoard('ip', '-o', 'link'),
        onBoard('ip', '-o', 'addr'),
        onBoard('ip', 'route'),
        onBoard('ip', '-6', 'route'),
        onBoard('nft', 'list', 'ruleset'),
        onBoard('ls', '/run/netns'),
      ]);
      return {
        links: links.split('\n').map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1]),
        addresses: addresses.replaceAll(/ tentative| valid_lft.*$/gm, '').replaceAll(/^\d+: /gm, ''),
        routes: (v4routes + v6routes).replaceAll(' linkdown', ''),
        rules: rules.replaceAll(/packets \d+ bytes \d+/g, ''),
        namespaces,
      };
    },
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'exit');
      child.stdin?.end();
      await ended;
    },
  };
};
