import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { execOk, type Machine } from '../../machine/machine.ts';
import { deadline, until } from '../../system/wait.ts';

/** How long a board may take until it is at rest, and from when on the report says that it took long, in ms. */
const [restMs, notedMs] = [10_000, 1000];

/** What there is on a board, as sorted lines by kind: two of them can be compared. */
export type Snapshot = Readonly<
  Record<'namespaces' | 'links' | 'addresses' | 'routes' | 'rules' | 'processes' | 'files', readonly string[]>
>;

const Links = Type.Array(
  Type.Object({
    ifname: Type.String(),
    mtu: Type.Integer(),
    master: Type.Optional(Type.String()),
    addr_info: Type.Array(
      Type.Object({
        local: Type.Optional(Type.String()),
        prefixlen: Type.Integer(),
        scope: Type.String(),
        /** It came by itself and goes in time (ip-address(8)): a router or a DHCP server gave it. */
        dynamic: Type.Optional(Type.Boolean()),
      }),
    ),
  }),
);

// The digest cache, compiled components, the logs and the lab's own programs are meant to stay.
const lasting = [
  ...['/var/cache/oakestra', '/var/lib/oakestra/precompiled', '/var/log/oakestra'],
  '/var/lib/oakestra-lab',
];

const looked = ['/etc', '/root', '/run', '/tmp', '/usr/lib/oakestra', '/var'];

/** What ends a line that a router or a DHCP server may add at any time. */
const byItself = ' (dynamic)';

/** Handles and counters are new each time and say nothing about what was left behind. */
const ruleLines = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) =>
      line
        .replace(/ # handle \d+/g, '')
        .replace(/\bpackets \d+ bytes \d+/g, 'packets')
        .replace(/ expires \w+/g, ''),
    )
    .filter((line) => line.trim() !== '');

const lines = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** The files in folders. One that goes while it is looked for is no trouble: the board lives. */
const findFiles = async (machine: Machine, argv: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await machine.exec(argv, { env: { LC_ALL: 'C' } });
  const troubles = lines(stderr).filter((line) => !line.endsWith(': No such file or directory'));
  if (code !== 0 && (troubles.length > 0 || stderr.trim() === ''))
    throw new Error(`'${argv.join(' ')}' on the board ended with ${code}: ${stderr.trim()}`);
  return stdout;
};

/**
 * Takes down what there is on a board. Addresses and routes that the kernel gives every interface by itself (link
 * scope, as soon as it has a carrier) are left out.
 */
export const takeSnapshot = async (machine: Machine): Promise<Snapshot> => {
  const ask = (...argv: string[]) => execOk(machine, argv);
  const pruned = lasting.flatMap((folder) => ['-path', folder, '-prune', '-o']);
  // by itself: what starts the others on the board stands there twice for a moment, before it becomes one of them
  const processes = await ask('ps', '-e', '-o', 'ppid=,args=');
  const [namespaces, links, routes, rules, files] = await Promise.all([
    ask('ip', 'netns', 'list'),
    ask('ip', '-json', 'address', 'show'),
    ask('ip', 'route', 'show', 'table', 'all'),
    ask('nft', 'list', 'ruleset'),
    findFiles(machine, ['find', ...looked, '-xdev', ...pruned, '-print']),
  ]);
  const found = parseJson(Links, links, "'ip address show' on the board");
  const given = found.flatMap(({ addr_info }) =>
    addr_info.flatMap(({ local, dynamic }) => (dynamic && local !== undefined ? [local] : [])),
  );
  return {
    namespaces: lines(namespaces)
      .map((line) => line.split(' ')[0] ?? line)
      .toSorted(),
    links: found.map(({ ifname, mtu, master }) => `${ifname} mtu ${mtu}${master ? ` in ${master}` : ''}`).toSorted(),
    addresses: found
      .flatMap(({ ifname, addr_info }) =>
        addr_info
          .filter(({ scope }) => scope !== 'link')
          .map(({ local, prefixlen, dynamic }) => `${ifname} ${local}/${prefixlen}${dynamic ? byItself : ''}`),
      )
      .toSorted(),
    routes: lines(routes)
      .filter((line) => !/fe80::|ff00::|^multicast|^anycast/.test(line))
      .map((line) => {
        const isDynamic =
          / expires | proto ra /.test(line) || given.some((address) => line.split(' ').includes(address));
        return line.replace(/ (expires|pref) \S+| linkdown/g, '') + (isDynamic ? byItself : '');
      })
      .toSorted(),
    rules: ruleLines(rules),
    processes: lines(processes)
      // in brackets: kernel threads, and processes that are just ending
      .filter((line) => !/^\d+ +\[|\bps -e -o\b|\bip |\bnft |\bfind |\bsetsid |\/oakestra-lab\//.test(line))
      .map((line) => line.replace(/^\d+ +/, ''))
      .toSorted(),
    // iproute2 makes its folder with the first namespace and leaves it; what stands in it is listed above
    files: lines(files)
      .filter((file) => file !== '/run/netns')
      .toSorted(),
  };
};

const without = (a: readonly string[], b: readonly string[]): readonly string[] => {
  const rest = [...b];
  return a.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
};

/**
 * What is on a board now and was not before (`+`), and the other way round (`-`); empty when all is as it was. What its
 * network has given it meanwhile is nobody's doing; what that had given before may not be lost.
 */
export const snapshotChanges = (before: Snapshot, after: Snapshot): readonly string[] =>
  (Object.keys(before) as (keyof Snapshot)[]).flatMap((kind) => [
    ...without(after[kind], before[kind])
      .filter((line) => !line.endsWith(byItself))
      .map((line) => `+ ${kind}: ${line}`),
    ...without(before[kind], after[kind]).map((line) => `- ${kind}: ${line}`),
  ]);

const limitOf = (machine: Machine, signal: AbortSignal): AbortSignal =>
  deadline(restMs * machine.timeoutFactor, 'the board', signal);

/** `look` again and again until it is content, or the board has had time enough to come to rest; what it saw last. */
const lastLook = async <T>(look: () => Promise<T>, isEnough: (seen: T) => boolean, limit: AbortSignal): Promise<T> => {
  let seen = await look();
  await until(async () => {
    if (isEnough(seen)) return true;
    seen = await look();
    return undefined;
  }, limit).catch((error: unknown) => {
    if (!limit.aborted) throw error;
  });
  return seen;
};

/** What there is on a board at rest: two looks, one after the other, have seen the same. */
export const snapshotAtRest = async (machine: Machine, signal: AbortSignal): Promise<Snapshot> => {
  let before: Snapshot | undefined;
  const look = async () => {
    const [previous, seen] = [before, await takeSnapshot(machine)];
    before = seen;
    return { seen, isSame: previous !== undefined && snapshotChanges(previous, seen).length === 0 };
  };
  const { seen } = await lastLook(look, ({ isSame }) => isSame, limitOf(machine, signal));
  signal.throwIfAborted();
  return seen;
};

/**
 * What has changed on a board for good. What the worker does when the cluster has its last word, such as forgetting that
 * it owed that, goes on for a moment: what has gone by itself soon after was not left behind. `note` is told of what
 * took its time.
 */
export const lastingChanges = async (
  before: Snapshot,
  machine: Machine,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<readonly string[]> => {
  const began = performance.now();
  let slow: readonly string[] = [];
  const look = async () => {
    const changes = snapshotChanges(before, await takeSnapshot(machine));
    if (performance.now() - began >= notedMs * machine.timeoutFactor && changes.length > 0) slow = changes;
    return changes;
  };
  const changes = await lastLook(look, (seen) => seen.length === 0, limitOf(machine, signal));
  signal.throwIfAborted();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (changes.length === 0 && slow.length > 0)
    note(`the board was as before only after ${seconds} s: ${slow.join('; ')}`);
  return changes;
};
