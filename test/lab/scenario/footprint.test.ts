import t from 'tap';
import type { Machine } from '../../../lab/machine/machine.ts';
import { changes, footprint } from '../../../lab/scenario/footprint.ts';

const links = JSON.stringify([
  { ifname: 'lo', mtu: 65536, addr_info: [{ local: '127.0.0.1', prefixlen: 8, scope: 'host' }] },
  { ifname: 'eth0', mtu: 1500, addr_info: [{ local: 'fe80::1', prefixlen: 64, scope: 'link' }] },
]);

const quiet = {
  'ip netns': '',
  'ip -json': links,
  'ip route': 'default via 10.0.2.2 dev eth0\n',
  'nft list': 'table inet x {\n\tcounter packets 3 bytes 180 # handle 4\n}\n',
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
  changes(await footprint(board({})), await footprint(board(answers)));

t.test('a board on which nothing stayed is as it was', async (t) => {
  t.strictSame(await difference({}), []);
  const counted = quiet['nft list'].replace('3 bytes 180', '9 bytes 999').replace('handle 4', 'handle 7');
  t.strictSame(await difference({ 'nft list': counted }), [], 'counters and handles do not matter');
  const ending = `${quiet['ps -e']}  311 [nft]\n  200 [ip] <defunct>\n`;
  t.strictSame(await difference({ 'ps -e': ending }), [], 'a process that is just ending is nothing that stayed');
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
  await footprint(watched);
  t.strictSame(beside, [0, 0]);
});
