import t from 'tap';
import type { Machine } from '../../../lab/machine/machine.ts';
import { lastingChanges, snapshotAtRest, snapshotChanges, takeSnapshot } from '../../../lab/scenario/board/snapshot.ts';

const links = JSON.stringify([
  { ifname: 'lo', mtu: 65536, addr_info: [{ local: '127.0.0.1', prefixlen: 8, scope: 'host' }] },
  { ifname: 'eth0', mtu: 1500, addr_info: [{ local: 'fe80::1', prefixlen: 64, scope: 'link' }] },
]);

const quiet = {
  'ip netns': '',
  'ip -json': links,
  'ip route': 'default via 10.0.2.2 dev eth0\n',
  'nft list':
    'table inet x {\n\tcounter packets 3 bytes 180 # handle 4\n\tcounter named {\n\t\tpackets 3 bytes 180\n\t}\n}\n',
  'ps -e':
    '    0 init\n    2 [kworker/0:0]\n    1 /usr/bin/node /usr/lib/oakestra/net-manager.cjs\n  200 ps -e -o ppid=,args=\n',
  'find /etc': '/etc/hosts\n/run/netns\n',
};

/** A board on which every command prints what `answers` has for its first two words. */
const board = (answers: Readonly<Record<string, string>>) =>
  ({
    exec: async (argv: readonly string[]) => ({
      code: 0,
      stdout: { ...quiet, ...answers }[argv.slice(0, 2).join(' ')] ?? '',
      stderr: '',
    }),
  }) as unknown as Machine;

const difference = async (answers: Readonly<Record<string, string>>) =>
  snapshotChanges(await takeSnapshot(board({})), await takeSnapshot(board(answers)));

t.test('a board on which nothing stayed is as it was', async (t) => {
  t.strictSame(await difference({}), []);
  const counted = quiet['nft list'].replaceAll('3 bytes 180', '9 bytes 999').replace('handle 4', 'handle 7');
  t.strictSame(await difference({ 'nft list': counted }), [], 'counters and handles do not matter');
  const ending = `${quiet['ps -e']}  311 [nft]\n  200 [ip] <defunct>\n`;
  t.strictSame(await difference({ 'ps -e': ending }), [], 'a process that is just ending is nothing that stayed');
});

t.test('what a router gives the board meanwhile is nobody’s doing, but may not be lost', async (t) => {
  const given = JSON.stringify([
    ...(JSON.parse(links) as unknown[]),
    { ifname: 'eth1', mtu: 1500, addr_info: [{ local: 'fec0::5', prefixlen: 64, scope: 'site', dynamic: true }] },
  ]);
  const withLink = given.replace(/\{"local":"fec0::5"[^}]*\}/, '');
  const routes = `${quiet['ip route']}fec0::/64 dev eth1 proto kernel metric 256 expires 86393sec pref medium
    local fec0::5 dev eth1 table local proto kernel metric 0 pref medium
    2001:db8::/64 via fec0::2 dev eth1 proto ra metric 1024 pref medium\n`;
  const without = await takeSnapshot(board({ 'ip -json': withLink }));
  const withIt = await takeSnapshot(board({ 'ip -json': given, 'ip route': routes }));
  t.strictSame(snapshotChanges(without, withIt), []);
  t.equal(snapshotChanges(withIt, without).length, 4, 'the address and the three routes');
  t.match(snapshotChanges(withIt, without)[0], /^- addresses: eth1 fec0::5\/64/);
});

t.test('whatever stays or is lost is named', async (t) => {
  t.strictSame(await difference({ 'ip netns': 'a.b.c (id: 0)\n' }), ['+ namespaces: a.b.c']);
  t.strictSame(await difference({ 'ip route': '' }), ['- routes: default via 10.0.2.2 dev eth0']);
  t.strictSame(await difference({ 'find /etc': '/etc/hosts\n/tmp/left\n' }), ['+ files: /tmp/left']);
  t.strictSame(await difference({ 'ps -e': `${quiet['ps -e']}  1 wasmtime serve\n` }), ['+ processes: wasmtime serve']);
  t.strictSame(
    await difference({ 'ps -e': `${quiet['ps -e']}    0 init\n` }),
    ['+ processes: init'],
    'a second one of what was there once',
  );
  const bridge = JSON.stringify([
    ...(JSON.parse(links) as unknown[]),
    { ifname: 'br0', mtu: 1500, addr_info: [{ local: '10.10.0.1', prefixlen: 26, scope: 'global' }] },
  ]);
  t.strictSame(await difference({ 'ip -json': bridge }), ['+ links: br0 mtu 1500', '+ addresses: br0 10.10.0.1/26']);
});

t.test('no other command of the lab runs while it looks at the processes', async (t) => {
  let running = 0;
  const beside: number[] = [];
  const quietBoard = board({});
  const watched = {
    exec: async (argv: readonly string[]) => {
      running += 1;
      if (argv[0] === 'ps') beside.push(running - 1);
      await new Promise(setImmediate);
      if (argv[0] === 'ps') beside.push(running - 1);
      running -= 1;
      return quietBoard.exec(argv);
    },
  } as unknown as Machine;
  await takeSnapshot(watched);
  t.strictSame(beside, [0, 0]);
});

const never = new AbortController().signal;

/** A board whose files are another list at each look; the last one stays. */
const changing = (lists: readonly string[], more: { code?: number; stderr?: string } = {}) => {
  let looks = 0;
  const quietBoard = board({});
  return {
    timeoutFactor: 0.05,
    exec: async (argv: readonly string[]) => {
      if (argv[0] !== 'find') return quietBoard.exec(argv);
      const stdout = lists[Math.min(looks, lists.length - 1)] ?? '';
      looks += 1;
      return { code: 0, stdout, stderr: '', ...more };
    },
  } as unknown as Machine;
};

t.test('what goes by itself soon after the last report of the worker was not left behind', async (t) => {
  const report = '/etc/hosts\n/var/lib/oakestra/node-engine/reports/lab.test.hello.test.instance.0.json\n';
  const before = await takeSnapshot(board({}));
  const notes: string[] = [];
  const changes = (machine: Machine) => lastingChanges(before, machine, never, (text) => notes.push(text));
  t.strictSame(await changes(changing([report, `${report.trim()}.new\n`, '/etc/hosts\n'])), []);
  t.match(
    await changes(changing([report])),
    [/^\+ files: \/var\/lib\/oakestra\/node-engine\/reports\//],
    'but what stays was',
  );
});

t.test("a board's state is recorded when it is at rest", async (t) => {
  const { files } = await snapshotAtRest(changing(['/etc/hosts\n/run/starting\n', '/etc/hosts\n']), never);
  t.strictSame(files, ['/etc/hosts']);
  let look = 0;
  const restless = changing(Array.from({ length: 1000 }, () => `/tmp/${look++}\n`));
  t.equal((await snapshotAtRest(restless, never)).files.length, 1, 'one that never is has the last look');
});

t.test('a file that goes while it is looked for is no trouble, and every other failure is', async (t) => {
  const find = (stderr: string) => takeSnapshot(changing(['/etc/hosts\n'], { code: 1, stderr }));
  t.strictSame((await find("find: '/run/x': No such file or directory\n")).files, ['/etc/hosts']);
  await t.rejects(find("find: '/root': Permission denied\n"), { message: /Permission denied/ });
});
