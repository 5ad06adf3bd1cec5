import fc from 'fast-check';
import t from 'tap';
import { parseConfig } from '../../../../worker/net-manager/config.ts';
import { parseSockets } from '../../../../worker/net-manager/kernel/listeners.ts';
import { parseOptions } from '../../../../worker/net-manager/options.ts';
import { addressAt, freeSlot, networkOf, parseSubnet, slots } from '../../../../worker/net-manager/plan/addresses.ts';
import { settingsOf } from '../../../../worker/net-manager/plan/settings.ts';
import { inputs } from '../../../support/inputs.ts';

const fixed = inputs(20_261_123);

t.test('a cluster on the link is named to the rules without its zone', async (t) => {
  const config = parseConfig('/n', undefined, undefined, () => undefined);
  const known = { addresses: ['fe80::1%eth0', '192.0.2.1'], ports: [443] };
  const { cluster } = settingsOf(config, parseSubnet('10.18.0.0', 'fc00::'), undefined, known);
  t.same(cluster.addresses, ['fe80::1', '192.0.2.1']);
  t.same(cluster.ports, ['10000-10199', '10003', '443']);
});

t.test(
  'a configured range of service addresses leads nowhere, unless it would take other addresses with it',
  async (t) => {
    const servicesOf = (tunnel: object, v6 = 'fc00::') => {
      const config = parseConfig('/n', undefined, JSON.stringify(tunnel), () => undefined);
      return settingsOf(config, parseSubnet('10.18.0.0', v6)).services;
    };
    const usual = ['10.30.0.0/16', 'fdff::/16'];
    t.same(servicesOf({}), [...usual, 'fcef::/21'], 'as Oakestra ships it');
    const range6 = (ProxySubnetworkIPv6: string, ProxySubnetworkIPv6Prefix: number, v6?: string) =>
      servicesOf({ ProxySubnetworkIPv6, ProxySubnetworkIPv6Prefix }, v6);
    t.same(range6('fd12:3456:789a:1::5', 48), [...usual, 'fd12:3456:789a::/48'], 'as the kernel writes it');
    for (const [address, length, pool] of [
      ['fc00::', 7],
      ['fc00::', 16],
      ['fc00::', 120],
      ['fd00::', 8],
      ['fdff::', 16],
      ['fdff:2000::', 32],
      ['2001:db8::', 32],
      ['fd77::', 64, 'fd77::'],
      ['nonsense', 64],
    ] as const)
      t.same(range6(address, length, pool), usual, `${address}/${length}`);
    t.match(servicesOf({ ProxySubnetwork: '10.40.7.9' }), ['10.40.0.0/16', 'fdff::/16']);
  },
);

t.test('addresses of a subnet', async (t) => {
  const subnet = parseSubnet('10.18.0.64', 'fc00::100');
  t.same(addressAt(subnet, 1), { v4: '10.18.0.65', v6: 'fc00::101' });
  t.same(addressAt(subnet, 62), { v4: '10.18.0.126', v6: 'fc00::13e' });
  t.same(networkOf(subnet), { v4: '10.18.0.64/26', v6: 'fc00::100/120' });
  t.same(addressAt(parseSubnet('255.255.255.192', '::ffff:0:1.2.3.0'), 2), {
    v4: '255.255.255.194',
    v6: '::ffff:0:102:302',
  });
  for (const [v4, v6] of [
    ['10.18.0.1', 'fc00::'],
    ['10.18.0', 'fc00::'],
    ['', ''],
    ['10.0.0.0; reboot', 'fc00::'],
    ['10.0.0.0', 'fc00::c2'],
    ['10.0.0.0', 'fe80::%eth0'],
  ] as const)
    t.throws(() => parseSubnet(v4, v6), { name: 'InvalidData' }, `${v4} ${v6}`);
  const canonical = (text: string) => new URL(`http://[${text}]`).hostname.slice(1, -1);
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const roomy = (parsed: string) => Number.parseInt(parsed.split(':').at(-1) || '0', 16) % 256 <= 255 - slots.last;
      fc.pre(roomy(canonical(text)));
      return addressAt(parseSubnet('10.0.0.0', text), 0).v6 === canonical(text);
    }),
    fixed,
  );
});

t.test('the lowest free address is given out, each to one instance', async (t) => {
  t.equal(freeSlot([]), 2);
  t.equal(freeSlot([2, 4]), 3);
  t.equal(freeSlot(Array.from({ length: 61 }, (_, index) => index + 2)), undefined);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 70 })), (taken) => {
      const slot = freeSlot(taken);
      const free = Array.from({ length: 61 }, (_, index) => index + 2).filter((each) => !taken.includes(each));
      return slot === free[0];
    }),
    fixed,
  );
});

t.test('sockets that hold a port, from the kernel’s table', async (t) => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
`;
  t.same(parseSockets(table, '0A'), [80], 'a connection holds none');
  const v6 = '   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 0:0';
  t.same(parseSockets(v6, '07'), [53]);
  fc.assert(
    fc.property(fc.string(), (text) => parseSockets(text, '0A').every((port) => port >= 0 && port <= 65_535)),
    fixed,
  );
});

t.test('options', async (t) => {
  t.match(parseOptions([]), {
    config: '/etc/netmanager',
    socket: '/etc/netmanager/netmanager.sock',
    state: '/var/lib/oakestra/netmanager',
    help: false,
  });
  t.match(parseOptions(['--config', '/x', '--port', '6000']), { socket: '/x/netmanager.sock', port: 6000 });
  for (const args of [['--port', '0'], ['--port', '70000'], ['--port', 'x'], ['--nonsense'], ['word'], ['--config']])
    t.throws(() => parseOptions(args), { name: 'UsageError' }, args.join(' '));
});
