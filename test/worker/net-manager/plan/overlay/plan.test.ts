import fc from 'fast-check';
import t from 'tap';
import type { TableResult } from '../../../../../worker/contract/net-mqtt.ts';
import { withServiceChange } from '../../../../../worker/net-manager/overlay/data-path.ts';
import { parseSubnet } from '../../../../../worker/net-manager/plan/addresses.ts';
import type { Instance } from '../../../../../worker/net-manager/plan/instance.ts';
import { type DesiredOverlay, desiredOverlayOf } from '../../../../../worker/net-manager/plan/overlay/desired.ts';
import {
  changeOverlay,
  leftoversOf,
  planOverlay,
  refuse,
} from '../../../../../worker/net-manager/plan/overlay/plan.ts';
import { readAnswer, type Service } from '../../../../../worker/net-manager/plan/overlay/rows.ts';
import { inputs } from '../../../../support/inputs.ts';
import { settingsWith } from '../../settings.ts';
import { carryOut, empty, type Kernel, sorted } from './model-kernel.ts';

const fixed = inputs(20_261_130);

const settings = settingsWith({
  egress: 'off',
  cluster: { addresses: [], ports: ['10003'] },
  subnet: parseSubnet('10.18.0.0', 'fc00::'),
});
const own = new Set(['192.168.77.11']);

const names = ['app.ns.s1.ns', 'app.ns.s2.ns', 'app.ns.s3.ns'] as const;

const instance = (service: string, number: number): Instance => ({
  ...{ service, instance: number, pid: 0, slot: 2 + 2 * Number(/s(\d)/.exec(service)?.[1]) + number, ports: [] },
});

/** Answers about few services, nodes and addresses, so that they collide: most rows are usable. */
const answer = fc
  .record({
    name: fc.constantFrom(...names),
    rows: fc.array(
      fc.record({
        number: fc.integer({ min: 0, max: 3 }),
        node: fc.constantFrom('192.168.77.11', '192.168.77.12', '192.168.77.13', '224.0.0.1', '', '127.0.0.1'),
        port: fc.constantFrom(50_103, 50_104, 0),
        inner: fc.integer({ min: 0, max: 3 }),
        own: fc.integer({ min: 1, max: 5 }),
        six: fc.boolean(),
      }),
      { maxLength: 5 },
    ),
    any: fc.integer({ min: 1, max: 5 }),
  })
  .map(
    ({ name, rows, any }): TableResult => ({
      app_name: name,
      query_key: name,
      instance_list: rows.map((row) => ({
        instance_number: row.number,
        namespace_ip: `10.18.1.${row.inner}`,
        namespace_ip_v6: row.six ? `fc00::10${row.inner}` : '',
        host_ip: row.node,
        host_port: row.port,
        instance_ip: `10.30.8.${row.own}`,
        instance_ip_v6: `fdff::${row.own}`,
        service_ip: [
          { IpType: 'RR', Address: `10.30.0.${any}`, Address_v6: `fdff:2000::${any}` },
          { IpType: 'instance_ip', Address: `10.30.8.${row.own}`, Address_v6: `fdff::${row.own}` },
        ],
      })),
    }),
  );

const step = fc.record({
  answer,
  instances: fc.subarray(names.flatMap((name) => [0, 1].map((number) => instance(name, number)))),
});

const whole = (wanted: DesiredOverlay): Kernel => {
  const kernel = empty();
  carryOut(kernel, planOverlay(settings, wanted));
  return kernel;
};
const none = desiredOverlayOf(settings, [], []);

t.test('however the table changes, the kernel holds what the last state calls for', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const kernel = whole(none);
      let services: readonly Service[] = [];
      let before = none;
      for (const { answer: given, instances } of steps) {
        const { service } = readAnswer(given, { settings, own });
        if (service) services = withServiceChange(services, { service });
        const next = desiredOverlayOf(settings, services, instances);
        const transactions = carryOut(kernel, changeOverlay(settings, before, next));
        if (transactions > 1) return false;
        before = next;
      }
      t.same(sorted(kernel), sorted(whole(before)));
      carryOut(kernel, changeOverlay(settings, before, none));
      t.same(sorted(kernel), sorted(whole(none)), 'and nothing is left when nothing is called for');
      return true;
    }),
    fixed,
  );
});

t.test('what goes is refused to the instances that are left, and nothing is refused when none is', async (t) => {
  const row = { number: 0, instance: { v4: '10.30.8.1' }, inner: { v4: '10.18.1.2' } };
  const called = {
    ...{ name: names[1], addresses: [] },
    rows: [{ ...row, node: { address: '192.168.77.12', port: 50_103 } }],
  };
  const caller = { name: names[0], addresses: [], rows: [{ number: 0, instance: { v4: '10.30.8.2' }, inner: {} }] };
  const here = [instance(names[0], 0)];
  const [both, alone] = [[caller, called], [caller]].map((each) => desiredOverlayOf(settings, each, here));
  const refusals = (before: DesiredOverlay = none, after: DesiredOverlay = none) =>
    changeOverlay(settings, before, after)
      .flatMap((step) => (step.tool === 'nft' ? step.do : []))
      .filter((command) => command.includes('refused'));
  t.same(refusals(both, alone), [refuse('10.30.8.1', 60)]);
  const emptied = [4, 6].map((family) => `flush set inet oakestra_overlay refused${family}`);
  t.same(refusals(both, none), emptied, 'nobody is left who could call');
  t.same(refusals(alone, none), emptied);
  t.same(refusals(none, alone), []);
});

t.test('the order in which services are learnt makes no difference', async (t) => {
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 4 }), (answers) => {
      const services = new Map(
        answers.flatMap((given) => {
          const { service } = readAnswer(given, { settings, own });
          return service ? [[service.name, service]] : [];
        }),
      );
      const all = [...services.values()];
      const [one, other] = [all, all.toReversed()].map((each) =>
        desiredOverlayOf(settings, each, [instance(names[0], 0)]),
      );
      t.same([...(one?.elements ?? [])].toSorted(), [...(other?.elements ?? [])].toSorted());
    }),
    fixed,
  );
});

t.test('what a killed process left is found beside what belongs there', async (t) => {
  const row = (address: string) => ({
    ...{ number: 0, instance: { v4: '10.30.8.1' }, inner: { v4: '10.18.1.2' }, node: { address, port: 50_103 } },
  });
  const service = (address: string): Service => ({ name: names[0], addresses: ['10.30.0.1'], rows: [row(address)] });
  const plan = planOverlay(settings, desiredOverlayOf(settings, [service('192.168.77.12')], []));
  const link = { up: true, mtu: 1450, mac: '', master: undefined, hairpin: false, peerSpace: undefined };
  const observed = {
    links: new Map(
      ['oaknodec0a84d0c', 'oaknodec0a84d0d', 'oakhold0', 'oakhold1', 'eth0', 'oaknodetry'].map((name) => [name, link]),
    ),
    routes: new Set([
      '10.30.8.1 by oaknodec0a84d0c',
      '10.30.8.7 by oaknodec0a84d0d',
      '10.30.8.9 by goProxyBridge',
      '10.30.8.10 by eth0',
      '10.30.0.0/16 by oakhold0',
      '10.18.0.0/26 by goProxyBridge',
    ]),
  };
  t.same(
    leftoversOf(settings, plan, observed).map((change) => change.do.replace(' proto 79', '')),
    [
      'route del 10.30.8.7 dev oaknodec0a84d0d',
      'route del 10.30.8.9 dev goProxyBridge',
      'link del oaknodec0a84d0d',
      'link del oaknodetry',
    ],
  );
});

t.test('rows of an answer are read one by one', async (t) => {
  const good = {
    ...{ instance_number: 1, namespace_ip: '10.18.0.66', namespace_ip_v6: 'FC00:0::0102', host_ip: '192.168.77.12' },
    ...{ host_port: 50_103, instance_ip: '10.30.2.2', instance_ip_v6: 'fdff::2:2' },
    service_ip: [
      { IpType: 'RR', Address: '10.30.0.2', Address_v6: 'fdff:2000::2' },
      { IpType: 'closest', Address: '10.30.0.9' },
      { IpType: 'instance_ip', Address: '10.30.2.2', Address_v6: 'fdff::2:2' },
      { IpType: 'RR', Address: '8.8.8.8', Address_v6: 'nonsense' },
    ],
  };
  const read = (...rows: readonly object[]) => {
    const result = { app_name: names[0], query_key: names[0], instance_list: rows as TableResult['instance_list'] };
    return readAnswer(result, { settings, own });
  };
  t.match(read(good), {
    service: {
      addresses: ['10.30.0.2', '10.30.0.9', 'fdff:2000::2'],
      rows: [
        {
          number: 1,
          instance: { v4: '10.30.2.2', v6: 'fdff::2:2' },
          inner: { v4: '10.18.0.66', v6: 'fc00::102' },
          node: { address: '192.168.77.12', port: 50_103 },
        },
      ],
    },
    left: [],
  });
  for (const [what, wrong] of [
    ['not deployed', { host_ip: undefined, namespace_ip: undefined }],
    ['a loopback address', { host_ip: '127.0.0.1' }],
    ['multicast', { host_ip: '239.1.2.3' }],
    ['a service address as its node', { host_ip: '10.30.0.1' }],
    ['an instance of ours as its node', { host_ip: '10.18.0.2' }],
    ['an IPv6 address as its node', { host_ip: '2001:db8::1' }],
    ['nonsense as its node', { host_ip: '192.168.77.12; reboot' }],
    ['our own subnet elsewhere', { namespace_ip: '10.18.0.7', namespace_ip_v6: 'fc00::7' }],
    ['a public address in a namespace', { namespace_ip: '8.8.8.8', namespace_ip_v6: '2001:db8::2' }],
    ['a service address in a namespace', { namespace_ip: '10.30.7.7', namespace_ip_v6: 'fdff::7' }],
    ['a foreign instance address', { instance_ip: '10.31.0.1', instance_ip_v6: 'fd00::1' }],
    ['no port', { host_port: 0 }],
  ] as const) {
    const { service, left } = read({ ...good, ...wrong, instance_number: 0 }, good);
    t.match(service?.rows, [{ number: 1 }], what);
    t.equal(left.length, 1, left.join());
  }
  const loop = read({ ...good, host_ip: '192.168.77.11' }).service;
  t.equal(
    desiredOverlayOf(settings, loop ? [loop] : [], []).routes.size,
    0,
    'an instance here that is not here leads nowhere',
  );
  t.equal(readAnswer({ app_name: 'a/b', instance_list: [] }, { settings, own }).service, undefined);
});
