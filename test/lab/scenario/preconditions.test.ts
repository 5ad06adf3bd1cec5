import fc from 'fast-check';
import t from 'tap';
import type { BoardState } from '../../../lab/machine/troubles.ts';
import { claimsOf, conflicts } from '../../../lab/scenario/services/preconditions.ts';

const claims = claimsOf({
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  claims: { networks: ['10.0.0.0/24'], names: ['br0', 'mytestns'] },
});

const link = (ifname: string, ...addresses: readonly string[]): BoardState['links'][number] => ({
  ifname,
  addr_info: addresses.map((address) => {
    const [local = '', prefixlen] = address.split('/');
    return { family: local.includes(':') ? 'inet6' : 'inet', local, prefixlen: Number(prefixlen) };
  }),
});

const found = (links: BoardState['links'], namespaces: readonly string[] = []) =>
  conflicts({ links, namespaces }, claims).map(({ description }) => description);

t.test('a board with nothing of the names and networks of a scenario is free', async (t) => {
  const usual = [link('lo', '127.0.0.1/8', '::1/128'), link('eth0', '10.0.2.15/24', 'fe80::1/64')];
  t.strictSame(found(usual, ['someone.elses.service.ns.instance.0', 'lab2']), []);
});

t.test('what stands in the way is named, with the command that removes it', async (t) => {
  const links = [link('goProxyBridge', '10.10.0.1/26'), link('br0'), link('eth1', '10.10.0.9/24', 'fd00:10::7/64')];
  t.strictSame(conflicts({ links, namespaces: ['mytestns', 'lab.test.hello.test.instance.3'] }, claims), [
    { description: 'the namespace mytestns', remedy: 'ip netns delete mytestns' },
    {
      description: 'the namespace lab.test.hello.test.instance.3',
      remedy: 'ip netns delete lab.test.hello.test.instance.3',
    },
    { description: 'the link goProxyBridge', remedy: 'ip link delete goProxyBridge' },
    { description: 'the link br0', remedy: 'ip link delete br0' },
    { description: '10.10.0.9/24 on eth1', remedy: 'ip address delete 10.10.0.9/24 dev eth1' },
    { description: 'fd00:10::7/64 on eth1', remedy: 'ip address delete fd00:10::7/64 dev eth1' },
  ]);
});

t.test('a network is in the way exactly when it has an address in common', async () => {
  const bits = (address: number, prefix: number) => (prefix === 0 ? 0 : address >>> (32 - prefix));
  const dotted = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
  const own = [
    [0x0a0a0000, 26],
    [0x0a000000, 24],
  ] as const;
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 0x0a000000, max: 0x0a0affff }), fc.integer({ min: 0, max: 0xffffffff })),
      fc.integer({ min: 1, max: 32 }),
      (address, prefix) => {
        const common = own.some(([base, length]) => {
          const shorter = Math.min(prefix, length);
          return bits(address, shorter) === bits(base, shorter);
        });
        return found([link('eth1', `${dotted(address)}/${prefix}`)]).length === (common ? 1 : 0);
      },
    ),
    { seed: 11, numRuns: 500 },
  );
});
