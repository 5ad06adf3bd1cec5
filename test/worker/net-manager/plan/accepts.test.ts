import fc from 'fast-check';
import t from 'tap';
import { acceptCommands, type Firewalls, readFilter } from '../../../../worker/net-manager/plan/accepts.ts';
import { addressAt, neighboursIn } from '../../../../worker/net-manager/plan/addresses.ts';
import { mayMap, rulesEventNeed } from '../../../../worker/net-manager/plan/events.ts';
import { readChains, readOutward } from '../../../../worker/net-manager/plan/foreign.ts';
import type { Instance } from '../../../../worker/net-manager/plan/instance.ts';
import type { Command } from '../../../../worker/net-manager/plan/plan.ts';
import type { Settings } from '../../../../worker/net-manager/plan/settings.ts';
import { type Packet, packetsFor, readTrace, trialKey } from '../../../../worker/net-manager/plan/trial.ts';
import { inputs } from '../../../support/inputs.ts';
import { settingsWith } from '../settings.ts';

const fixed = inputs(20_261_201);

const settings = (topology: Settings['topology'], egress: Settings['egress'] = 'on') =>
  settingsWith({ topology, egress, cluster: { addresses: [], ports: ['10003'] }, services: [], overlay: 'off' });

const found = (lines: readonly string[], outward: readonly string[] = ['eth0']): Firewalls => ({
  ours: true,
  others: [],
  filters: [readFilter('iptables-nft', lines.join('\n'))],
  outward,
  trusted: undefined,
});

/** A table of iptables, as lines of `-S`, after commands. */
const after = (lines: readonly string[], commands: readonly Command[]): readonly string[] => {
  let now = lines;
  for (const { do: argv } of commands) {
    const [, , , option, chain, ...rest] = argv;
    const line = `-A ${[chain, ...rest].join(' ')}`;
    const at = option === '-I' ? now.findIndex((each) => each.startsWith(`-A ${chain} `)) : now.indexOf(line);
    if (option === '-I') now = at < 0 ? [...now, line] : now.toSpliced(at, 0, line);
    else now = at < 0 ? now : now.toSpliced(at, 1);
  }
  return now;
};

t.test('what the overlay carries is accepted where there is one', async (t) => {
  const accepted = (overlay: Settings['overlay']) =>
    after(['-P FORWARD DROP'], acceptCommands({ ...settings('bridged'), overlay }, found(['-P FORWARD DROP']))).filter(
      (line) => /oaknode|oakhold/.test(line),
    );
  t.same(
    accepted('on')
      .map((line) => /-i .* -m/.exec(line)?.[0])
      .toSorted(),
    ['-i goProxyBridge -o oakhold0 -m', '-i goProxyBridge -o oaknode+ -m', '-i oakhold1 -o oaknode+ -m'],
  );
  t.same(accepted('off'), []);
});

t.test('accepts are put in place of others once, and taken away exactly', async () => {
  const theirs = fc.constantFrom(
    '-A FORWARD -j DROP',
    '-A FORWARD -i eth0 -j ACCEPT',
    '-A FORWARD -j DOCKER-USER',
    '-A DOCKER-USER -j RETURN',
    '-A FORWARD -m comment --comment "oakestra is nice" -j ACCEPT',
    '-A INPUT -m comment --comment oakestras -j ACCEPT',
  );
  fc.assert(
    fc.property(
      fc.array(theirs, { maxLength: 6 }),
      fc.constantFrom('ACCEPT', 'DROP'),
      fc.constantFrom('bridged', 'veth'),
      fc.uniqueArray(fc.constantFrom('eth0', 'wlan0', 'wg0')),
      fc.array(fc.nat(20)),
      (rules, policy, topology, outward, flushed) => {
        const bare = [`-P FORWARD ${policy}`, '-N DOCKER-USER', ...rules];
        const put = (lines: readonly string[]) =>
          after(lines, acceptCommands(settings(topology), found(lines, outward)));
        const whole = put(bare);
        const judges = policy === 'DROP' || rules.some((rule) => rule.startsWith('-A FORWARD'));
        const harmed = whole.filter((line, at) => !(line.includes('--comment oakestra ') && flushed.includes(at)));
        const removed = after(whole, acceptCommands(undefined, found(whole, outward)));
        return (
          whole.length === bare.length + (judges ? 1 + outward.length : 0) &&
          acceptCommands(settings(topology), found(whole, outward)).length === 0 &&
          put(harmed).toSorted().join() === whole.toSorted().join() &&
          removed.join() === bare.join()
        );
      },
    ),
    fixed,
  );
});

t.test('containers of other programs stay closed to instances', async (t) => {
  const link = (ifname: string, more: object) => ({ ifname, addr_info: [{ scope: 'global' }], ...more });
  const outward = readOutward([
    link('lo', { link_type: 'loopback' }),
    link('eth0', {}),
    link('docker0', { linkinfo: { info_kind: 'bridge' } }),
    { ifname: 'veth1', master: 'docker0', linkinfo: { info_kind: 'veth' }, addr_info: [] },
    link('br0', { linkinfo: { info_kind: 'bridge' } }),
    { ifname: 'eth1', master: 'br0', addr_info: [] },
    { ifname: 'eth2', addr_info: [{ scope: 'link' }] },
    link('goProxyBridge', { linkinfo: { info_kind: 'bridge' } }),
    link('oaktrial0', { linkinfo: { info_kind: 'veth' } }),
    link('veth00oak2', { linkinfo: { info_kind: 'veth' } }),
  ]);
  t.same(outward, ['eth0', 'br0']);
  const commands = acceptCommands(settings('bridged'), found(['-P FORWARD DROP'], outward));
  t.same(
    commands.map(({ is }) => is),
    [
      'rule FORWARD -o goProxyBridge -m comment --comment oakestra -j ACCEPT (iptables-nft)',
      'rule FORWARD -i goProxyBridge -o eth0 -m comment --comment oakestra -j ACCEPT (iptables-nft)',
      'rule FORWARD -i goProxyBridge -o br0 -m comment --comment oakestra -j ACCEPT (iptables-nft)',
    ],
  );
});

t.test('packets that are tried stay within what is allowed', async (t) => {
  const instance = { service: 'a.b.c.d', instance: 0, pid: 0, slot: 2, ports: [] };
  const held = new Set([
    '192.168.1.1/24 on eth0',
    '192.168.1.2/24 on eth0',
    '10.0.0.1/32 on wg0',
    'fe80::1/64 on eth0',
  ]);
  const from = (egress: Settings['egress']) =>
    packetsFor(settings('veth', egress), instance, ['eth0', 'wg0'], held).flatMap(({ way, target }) =>
      way === 'from' ? [target] : [],
    );
  t.same(from('on'), ['192.168.1.3'], "no address of the board's own");
  t.same(from('off'), []);
  t.same(from(['172.16.0.0/12', 'fd50::/64']), ['172.16.0.1', 'fd50::1']);
  t.same(neighboursIn('192.0.2.1/30'), ['192.0.2.2']);
  t.same(neighboursIn('192.0.2.1/32'), []);
  t.same(neighboursIn('nonsense'), []);
});

t.test('packets are of the protocols that an instance has mapped', async (t) => {
  const instance = { service: 'a.b.c.d', instance: 0, pid: 0, slot: 2 };
  const into = (ports: Instance['ports']) =>
    packetsFor(settings('veth', 'off'), { ...instance, ports }, [], new Set()).map(
      ({ protocol, port, description }) => `${protocol} ${port} ${description}`,
    );
  t.same(into([]), [
    'tcp 9 from other machines to instances by IPv4',
    'tcp 9 from other machines to instances by IPv6',
  ]);
  const both = into([
    { host: 1, inner: 53, protocol: 'udp' },
    { host: 2, inner: 80, protocol: 'tcp' },
    { host: 3, inner: 81, protocol: 'tcp' },
  ]);
  t.same(both, [
    'tcp 80 from other machines to instances by IPv4',
    'tcp 80 from other machines to instances by IPv6',
    'udp 53 from other machines to instances by UDP over IPv4',
    'udp 53 from other machines to instances by UDP over IPv6',
  ]);
});

t.test('what was tried holds for other instances, until the rules of others are other ones', async (t) => {
  const key = (rules: string, slot: number, inner = 80) => {
    const instance = { service: 'a.b.c.d', instance: 0, pid: 0, slot, ports: [{ host: 1, inner, protocol: 'tcp' }] };
    const own = addressAt(settings('veth', 'on').subnet, slot);
    const packets = packetsFor(settings('veth', 'on'), instance as Instance, [], new Set());
    return trialKey(rules, packets, [own.v4, own.v6]);
  };
  const rules = 'table inet site {\n\tchain a {\n\t\tdrop\n\t}\n}\n';
  const ours = (slot: number) =>
    `table inet oakestra {\n\tset links {\n\t\telements = { "veth00oak${slot}" }\n\t}\n}\n`;
  t.equal(key(rules, 2), key(rules, 3));
  t.equal(key(`${ours(2)}${rules}`, 2), key(`${rules}${ours(3)}`, 3), 'our own rules are no matter');
  t.not(key(rules, 2), key(rules, 2, 81), 'a rule may be about a port');
  t.not(key(rules, 2), key(rules.replace('drop', 'accept'), 2));
  const { v4 } = addressAt(settings('veth', 'on').subnet, 2);
  const named = rules.replace('drop', `ip daddr ${v4} drop`);
  t.not(key(named, 2), key(named, 3), 'or about an instance');
});

t.test('who dropped a packet, from the trace', async (t) => {
  const packet: Packet = {
    way: 'from',
    description: '',
    source: '10.10.0.2',
    sentTo: '192.168.1.3',
    target: '192.168.1.3',
    port: 9,
    protocol: 'tcp',
  };
  const head = (id: string, chain: string, to = '192.168.1.3') =>
    `trace id ${id} ${chain} packet: iif "a" oif "b" ip saddr 10.10.0.2 ip daddr ${to} ip dscp cs0 ip protocol tcp tcp sport 3 tcp dport 9 tcp flags == syn`;
  t.same(readTrace([head('1', 'ip filter FORWARD'), 'trace id 1 ip filter FORWARD policy drop '].join('\n'), packet), {
    chain: 'ip filter FORWARD',
  });
  t.same(
    readTrace(
      [
        head('1', 'inet fw forward', '192.168.1.30'),
        'trace id 1 inet fw forward policy drop',
        head('2', 'inet fw forward'),
        'trace id 2 inet fw forward rule counter jump last (verdict jump last)',
        'trace id 2 inet fw last rule reject with icmpx admin-prohibited (verdict drop)',
      ].join('\n'),
      packet,
    ),
    { chain: 'inet fw last', rule: 'reject with icmpx admin-prohibited' },
    'of this packet, not of another',
  );
  t.match(
    readTrace([head('1', 'ip x y'), 'trace id 1 ip x y unknown rule handle 7 (verdict drop)'].join('\n'), packet),
    { chain: 'ip x y', handle: 7 },
  );
  t.equal(
    readTrace([head('1', 'inet oakestra forward'), 'trace id 1 inet oakestra forward policy drop'].join('\n'), packet),
    undefined,
  );
  fc.assert(
    fc.property(fc.string(), fc.json(), (text, json) => {
      readTrace(text, packet);
      readFilter('iptables-nft', text);
      readChains(JSON.parse(json));
      readOutward(JSON.parse(json));
    }),
    fixed,
  );
});

t.test('events of other firewalls that call for a look', async (t) => {
  const board = { board: true };
  for (const [line, call] of [
    ['add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }', board],
    ['delete rule ip6 filter DOCKER-USER handle 5', board],
    ['insert rule ip filter FORWARD counter packets 0 bytes 0 jump DOCKER-USER', board],
    ['add rule ip filter DOCKER counter packets 0 bytes 0 drop', undefined],
    ['add table inet oakestra_trial', undefined],
    ['add rule inet oakestra_trial begun counter name begun0', undefined],
  ] as const)
    t.same(rulesEventNeed(line), call, line);
  t.equal(mayMap('add rule inet oakestra_trial lead ip saddr 192.0.2.2 dnat ip to 10.10.0.2'), false);
});
