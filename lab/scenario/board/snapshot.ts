import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { execOk, type Machine } from '../../machine/machine.ts';

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

/** What ends a line that a router or a DHCP server may add at any time. */
const byItself = ' (dynamic)';

/** Handles and counters are new each time and say nothing about what was left behind. */
const ruleLines = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.replace(/ # handle \d+/g, '').replace(/counter packets \d+ bytes \d+/g, 'counter'))
    .filter((line) => line.trim() !== '');

const lines = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

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
    ask('find', '/etc', '/root', '/run', '/tmp', '/usr/lib/oakestra', '/var', '-xdev', ...pruned, '-print'),
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
