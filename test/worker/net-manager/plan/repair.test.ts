import fc from 'fast-check';
import t from 'tap';
import { linkEventNeed, rulesEventNeed } from '../../../../worker/net-manager/plan/events.ts';
import type { Instance } from '../../../../worker/net-manager/plan/instance.ts';
import { elementsAfter, readListing } from '../../../../worker/net-manager/plan/listing.ts';
import type { Fact, LinkState, Observed, Place } from '../../../../worker/net-manager/plan/observed.ts';
import type { Plan } from '../../../../worker/net-manager/plan/plan.ts';
import { planInstance, planNode } from '../../../../worker/net-manager/plan/planner.ts';
import { repairPlan } from '../../../../worker/net-manager/plan/repair.ts';
import type { Settings } from '../../../../worker/net-manager/plan/settings.ts';
import { repairReporter } from '../../../../worker/net-manager/reconcile/keeper.ts';
import { inputs } from '../../../support/inputs.ts';
import { settingsWith } from '../settings.ts';

const fixed = inputs(20_261_129);

const settingsOf = (topology: Settings['topology']) => settingsWith({ topology });

const instance = (slot: number): Instance => ({
  service: 'app.ns.svc.ns',
  instance: slot,
  pid: 0,
  slot,
  ports: [{ host: slot, inner: 80, protocol: 'tcp' }],
});

const boardOf = (topology: Settings['topology'], slots: readonly number[]): Plan => {
  const settings = settingsOf(topology);
  const instances = slots.map(instance);
  return [
    ...planNode(settings, { instances, advertised: [] }),
    ...instances.flatMap((each) => planInstance(settings, each)),
  ];
};

const bare: LinkState = { up: false, mtu: 1500, mac: '', master: undefined, hairpin: false, peerSpace: undefined };

type World = {
  readonly links: Map<string, LinkState>;
  readonly addresses: Set<string>;
  readonly routes: Set<string>;
};

const empty = (): World => ({ links: new Map(), addresses: new Set(), routes: new Set() });

/** A kernel in which every change does what it says. */
const obey = (world: World, namespaces: Set<string>, fact: Fact): void => {
  if ('namespace' in fact) namespaces.add(fact.namespace);
  else if ('address' in fact) world.addresses.add(fact.address);
  else if ('route' in fact) world.routes.add(fact.route);
  else if ('link' in fact) world.links.set(fact.link, { ...bare, ...world.links.get(fact.link), ...fact.has });
};

const carryOut = (plan: Plan, before?: Observed): Observed => {
  const copy = (place: Place | undefined): World => ({
    links: new Map(place?.links),
    addresses: new Set(place?.addresses),
    routes: new Set(place?.routes),
  });
  const world = copy(before);
  const namespaces = new Set(before?.namespaces);
  const settings = new Map(before?.settings);
  const inside = new Map([...(before?.inside ?? [])].map(([name, place]) => [name, copy(place)]));
  let rules = before?.rules ?? new Set<string>();
  for (const step of plan) {
    if (step.tool === 'ip') for (const { is } of step.changes) obey(world, namespaces, is);
    else if (step.tool === 'sysctl') for (const [key, value] of Object.entries(step.values)) settings.set(key, value);
    else if (step.tool === 'nft') rules = new Set([...rules, ...(step.whole ?? [])]);
    else if (step.tool === 'inside') {
      const place = inside.get(step.namespace) ?? empty();
      inside.set(step.namespace, place);
      for (const { is } of step.changes) obey(place, namespaces, is);
    }
  }
  return { ...world, namespaces, settings, inside, rules, receivers: new Set() };
};

/** Takes parts of what stands away, chosen by numbers. */
const harm = (whole: Observed, choices: readonly number[]): Observed => {
  const kept = <T>(all: Iterable<T>, salt: number): readonly T[] =>
    [...all].filter((_, at) => !choices.includes((at * 7 + salt) % 31));
  const place = (each: Place, salt: number): Place => ({
    links: new Map(kept(each.links, salt).map(([name, link]) => [name, { ...link, up: !choices.includes(salt % 31) }])),
    addresses: new Set(kept(each.addresses, salt + 1)),
    routes: new Set(kept(each.routes, salt + 2)),
  });
  return {
    ...place(whole, 3),
    namespaces: whole.namespaces,
    settings: new Map(kept(whole.settings, 5)),
    inside: new Map([...whole.inside].map(([name, each], at) => [name, place(each, 11 + at)])),
    rules: choices.includes(30) ? new Set() : whole.rules,
    receivers: whole.receivers,
  };
};

for (const topology of ['bridged', 'veth'] as const)
  t.test(`whatever is missing is made, and nothing else, ${topology}`, async () => {
    const plan = boardOf(topology, [2, 3, 4]);
    const whole = carryOut(plan);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 12 }), (choices) => {
        let now = harm(whole, choices);
        // What the kernel makes by itself is left to it in the first round.
        for (let round = 0; round < 2; round++) {
          const repair = repairPlan(plan, now);
          const [more, said] = [carryOut(repair.plan, now), repair.missing.length > 0];
          if (!said && repair.plan.length > 0) return false;
          now = more;
        }
        const done = repairPlan(plan, now);
        return done.missing.length === 0 && done.plan.length === 0;
      }),
      fixed,
    );
  });

t.test('a whole board needs nothing, an empty one everything in order', async (t) => {
  const plan = boardOf('bridged', [2]);
  t.same(repairPlan(plan, carryOut(plan)), { plan: [], missing: [] });
  const first = repairPlan(plan, carryOut([]));
  t.match(first.plan[0], { tool: 'ip', changes: [{ is: { link: 'goProxyBridge' } }] });
  t.equal(first.plan.at(-1)?.tool, 'inside');
  t.notOk(
    first.missing.some((text) => text.includes(' in app.')),
    'what a new link needs is no news of its own',
  );
});

t.test('events that call for a look', async (t) => {
  const board = { board: true };
  for (const [line, call] of [
    ['[nsid current]Deleted 2: goProxyBridge    inet 10.10.0.1/26 scope global goProxyBridge', board],
    ['[nsid current]Deleted 10.10.0.0/26 dev goProxyBridge proto kernel scope link src 10.10.0.1', board],
    ['[nsid current]inet all forwarding off', board],
    ['[nsid current]inet6 goProxyBridge forwarding off', board],
    ['[nsid current]inet all forwarding on', undefined],
    ['[nsid current]Deleted 9: docker0    inet 172.17.0.1/16', undefined],
    ['[nsid current]7: veth00oak2@if2: <BROADCAST,MULTICAST> mtu 1450', board],
    ['[nsid current]7: other0@if2: <BROADCAST,MULTICAST> mtu 1450 link-netns a.b.c.d.instance.0', board],
    ['[nsid current]8: veth4@if2: <BROADCAST,MULTICAST> mtu 1450 link-netns cni-5', undefined],
    ['[nsid 3]Deleted 2: goProxyBridge    inet 10.10.0.2/26 scope global veth01oak2', { board: false, space: 3 }],
    ['[nsid 3]2: goProxyBridge    inet 10.10.0.2/26 scope global veth01oak2', undefined],
    ['[nsid 3]2: veth01oak2@if7: <BROADCAST,MULTICAST> mtu 1450 state DOWN', { board: false, space: 3 }],
    ['[nsid 3]2: veth01oak2@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450', undefined],
  ] as const)
    t.same(linkEventNeed(line), call, line);
  t.same(rulesEventNeed('delete element inet oakestra ports4 { tcp . 80 : 10.10.0.2 . 80 }'), board);
  t.same(rulesEventNeed('delete table inet oakestra'), board);
  t.same(rulesEventNeed('add rule inet oakestra forward drop'), board);
  t.same(rulesEventNeed('delete table inet oakestra2'), undefined);
  t.same(rulesEventNeed('add table inet oakestra'), undefined);
  fc.assert(
    fc.property(fc.string(), (text) => {
      linkEventNeed(text);
      rulesEventNeed(text);
      readListing(text);
    }),
    fixed,
  );
});

t.test('a listed table holds what its commands gave it', async (t) => {
  const text = `table inet oakestra { # handle 1
	map ports6 { # handle 2
		type inet_proto . inet_service : ipv6_addr . inet_service
		elements = { tcp . 80 : fc00::102 . 80,
			     udp . 81 : fc00::103 . 80 }
	}

	set links { # handle 3
		type ifname
		elements = { "goProxyBridge" }
	}
}
`;
  const listing = readListing(text);
  t.notMatch(listing.structure, /elements/);
  const given = [
    'table inet oakestra {}',
    'add element inet oakestra ports6 { tcp . 80 : fc00:0::102 . 80, udp . 81 : fc00::103 . 80 }',
    'add element inet oakestra links { goProxyBridge }',
  ];
  t.same(listing.elements, elementsAfter(given));
  const withoutNames = readListing(text.replace('tcp', '6').replace('udp', '17'));
  t.same(withoutNames.elements, listing.elements, 'on a board without /etc/protocols nft tells numbers');
});

t.test('the log does not say that something is back that could not be put back', async (t) => {
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const told = repairReporter({ debug: say, info: say, warn: say, error: say });
  told.tell({ missing: ['the link a', 'the route b'], left: ['the link a'], failures: ['it is busy'], lost: [] });
  t.same(said, [
    'another program changed what instances need; put back: the route b',
    'cannot put back: the link a: it is busy',
  ]);
});
