import { familyOf, overlaps } from '../addresses.ts';
import { bridge, hostLinkMark } from '../instance.ts';
import type { Observed } from '../observed.ts';
import { routeFact } from '../observed.ts';
import type { Change, Plan, Step } from '../plan.ts';
import { routeMark } from '../planner.ts';
import type { Settings } from '../settings.ts';
import type { DesiredOverlay } from './desired.ts';
import { hold, overlayTable, peerMark, wireTable } from './names.ts';
import { elementCommand, overlayRules } from './ruleset.ts';

/** How long a connection to what is gone is refused, in seconds, where the next packet would only wait otherwise. */
const goneSeconds = 60;

const up = (link: string): Change => ({ do: `link set ${link} up`, is: { link, has: { up: true } } });

/** No link of the overlay has addresses: the kernel's own would be announced to other nodes. */
const noAddress = (link: string): Change => ({ do: `link set ${link} addrgenmode none`, is: { link } });

const ipv6On = (links: Iterable<string>): Readonly<Record<string, string>> =>
  Object.fromEntries([...links].map((link) => [`net/ipv6/conf/${link}/disable_ipv6`, '0']));

type Link = readonly [name: string, peer: { readonly address: string; readonly port: number }];

/**
 * The link to one other node, for both families: what is sent on it becomes a datagram of UDP with the bare packet in
 * it. It has no local address of its own, so a node may change its address, and datagrams may be broken into parts on a
 * way that is narrower than expected.
 */
const linkChanges = (settings: Settings, [name, { address, port }]: Link): readonly Change[] => [
  {
    do: `link add name ${name} type sit mode any remote ${address} ttl inherit nopmtudisc encap fou encap-sport auto encap-dport ${port}`,
    is: { link: name },
    undo: `link del ${name}`,
  },
  { do: `link set ${name} mtu ${settings.mtu}`, is: { link: name, has: { mtu: settings.mtu } } },
  noAddress(name),
];

const route = (target: string, link: string): Change => ({
  do: `route replace ${target} dev ${link} ${routeMark}`,
  is: { route: routeFact(target, { link }) },
  undo: `route del ${target} dev ${link} ${routeMark}`,
});

const withoutRoute = (target: string, link: string): Change => ({
  do: `route del ${target} dev ${link} ${routeMark}`,
  is: { gone: { route: routeFact(target, { link }) } },
});

const withoutLink = (link: string): Change => ({ do: `link del ${link}`, is: { gone: { link } } });

/** What no address of a service or instance is known for waits there until the cluster has answered. */
const holdChanges = (settings: Settings): Plan => [
  {
    tool: 'ip',
    changes: [
      {
        do: `fou add port ${settings.tunnelPort} gue`,
        is: { receiver: settings.tunnelPort },
        undo: `fou del port ${settings.tunnelPort}`,
      },
      {
        do: `link add name ${hold.near} address ${hold.nearMac} type veth peer name ${hold.far} address ${hold.farMac}`,
        is: { link: hold.near },
        undo: `link del ${hold.near}`,
      },
      noAddress(hold.near),
      noAddress(hold.far),
    ],
  },
  {
    tool: 'sysctl',
    values: {
      ...ipv6On([hold.near, hold.far]),
      // What is let go comes from elsewhere than where its source is.
      [`net/ipv4/conf/${hold.far}/rp_filter`]: '0',
      // Nobody answers on that link but this program: five times, a second apart, the kernel says what it misses.
      ...Object.fromEntries(
        ['ipv4', 'ipv6'].flatMap((family) => [
          [`net/${family}/neigh/${hold.near}/app_solicit`, '5'],
          [`net/${family}/neigh/${hold.near}/mcast_solicit`, '0'],
          [`net/${family}/neigh/${hold.near}/ucast_solicit`, '0'],
        ]),
      ),
    },
  },
  {
    tool: 'ip',
    changes: [
      up(hold.near),
      up(hold.far),
      ...settings.services.map(
        (network): Change => ({
          do: `route replace ${network} dev ${hold.near} ${routeMark} metric 9000`,
          is: { route: routeFact(network, { link: hold.near }) },
          undo: `route del ${network} dev ${hold.near} ${routeMark} metric 9000`,
        }),
      ),
    ],
  },
];

const ip = (changes: readonly Change[]): readonly Step[] => (changes.length > 0 ? [{ tool: 'ip', changes }] : []);

const linkSteps = (
  settings: Settings,
  links: readonly Link[],
  routes: readonly (readonly [string, string])[],
): Plan => [
  ...ip(links.flatMap((link) => linkChanges(settings, link))),
  ...(links.length > 0 ? [{ tool: 'sysctl', values: ipv6On(links.map(([name]) => name)) } as const] : []),
  ...ip([...links.map(([name]) => up(name)), ...routes.map(([target, link]) => route(target, link))]),
];

const nodesOf = ({ peers }: DesiredOverlay): ReadonlySet<string> =>
  new Set([...peers.values()].map(({ address }) => `nodes ${address}`));

const allElements = (desired: DesiredOverlay): ReadonlySet<string> => desired.elements.union(nodesOf(desired));

/** The command that has packets to an address refused for some seconds. */
export const refuse = (address: string, seconds: number): string =>
  `add element ${overlayTable} refused${familyOf(address)} { ${address} timeout ${seconds}s }`;

/** The whole overlay of a node, which is made where nothing of it stands and completed where part of it does. */
export const planOverlay = (settings: Settings, desired: DesiredOverlay): Plan => [
  ...holdChanges(settings),
  ...linkSteps(settings, [...desired.peers], [...desired.routes]),
  {
    tool: 'nft',
    do: [...overlayRules(settings), ...[...allElements(desired)].map((element) => elementCommand('add', element))],
    undo: [overlayTable, wireTable].map((table) => `delete table ${table}`),
    whole: [overlayTable, wireTable],
  },
];

/** True when an instance of this node can call others: it has an address of its own. */
const hasCallers = ({ elements }: DesiredOverlay): boolean =>
  elements.values().some((element) => /^own[46] /.test(element));

/** The command that has packets to an address which goes refused, unless it is only forgotten. */
const refusalOf = (element: string, forgotten: ReadonlySet<string>): readonly string[] => {
  const [, family, address] = /^known(4|6) (\S+)$/.exec(element) ?? [];
  return family === undefined || address === undefined || forgotten.has(address) ? [] : [refuse(address, goneSeconds)];
};

/** The commands that refuse what goes to those who are left to call it; with the last of them nothing is refused. */
const refusals = (
  before: DesiredOverlay,
  after: DesiredOverlay,
  gone: ReadonlySet<string>,
  forgotten: ReadonlySet<string>,
): readonly string[] => {
  if (hasCallers(after)) return [...gone].flatMap((element) => refusalOf(element, forgotten));
  return hasCallers(before) ? [4, 6].map((family) => `flush set ${overlayTable} refused${family}`) : [];
};

/**
 * The change from one state of the overlay to another: what comes is reachable before it is named, and what goes is not
 * named any more before it goes. The tables change in one transaction. Connections to what has gone are refused, except
 * to addresses that are only `forgotten`: these are asked after again.
 */
export const changeOverlay = (
  settings: Settings,
  before: DesiredOverlay,
  after: DesiredOverlay,
  forgotten: ReadonlySet<string> = new Set(),
): Plan => {
  const changed = (peer: Link): boolean => {
    const was = before.peers.get(peer[0]);
    return was?.address !== peer[1].address || was.port !== peer[1].port;
  };
  // A link's port can't be changed: the link is made anew, and takes its routes along.
  const remade = [...after.peers].filter((peer) => before.peers.has(peer[0]) && changed(peer));
  const isRemade = (link: string | undefined) => remade.some(([name]) => name === link);
  const links = [...after.peers].filter(changed);
  const routes = [...after.routes].filter(([target, link]) => before.routes.get(target) !== link || isRemade(link));
  const [old, next] = [allElements(before), allElements(after)];
  const [gone, come] = [old.difference(next), next.difference(old)];
  const commands = [
    ...[...gone].map((element) => elementCommand('delete', element)),
    ...[...come].map((element) => elementCommand('add', element)),
    ...refusals(before, after, gone, forgotten),
  ];
  return [
    ...ip(remade.map(([name]) => withoutLink(name))),
    ...linkSteps(settings, links, routes),
    ...(commands.length > 0 ? [{ tool: 'nft', do: commands, undo: [] } as const] : []),
    ...ip([
      ...[...before.routes]
        .filter(([target]) => !after.routes.has(target))
        .map(([target, link]) => withoutRoute(target, link)),
      ...[...before.peers.keys()].filter((name) => !after.peers.has(name)).map(withoutLink),
    ]),
  ];
};

/** True for a link that only this program's overlay can have. */
const isOurs = (link: string): boolean =>
  link.startsWith(peerMark) || Object.values(hold).some((name) => name === link);

/**
 * What a look at the board finds that a plan does not have: links to nodes that are none any more, and routes of
 * addresses of the overlay by links of ours. A program that was killed leaves them.
 */
export const leftoversOf = (
  settings: Settings,
  plan: Plan,
  observed: Pick<Observed, 'links' | 'routes'>,
): readonly Change[] => {
  const facts = plan.flatMap((step) => (step.tool === 'ip' ? step.changes.map(({ is }) => is) : []));
  const links = new Set(facts.flatMap((is) => ('link' in is ? [is.link] : [])));
  const routes = new Set(facts.flatMap((is) => ('route' in is ? [is.route] : [])));
  const mine = (link: string) => isOurs(link) || link === bridge || link.startsWith(hostLinkMark);
  return [
    ...[...observed.routes].flatMap((text) => {
      const [, target = '', link = ''] = /^(\S+) by (\S+)$/.exec(text) ?? [];
      const within = settings.services.some((network) => overlaps(network, target));
      return within && mine(link) && !routes.has(text) ? [withoutRoute(target, link)] : [];
    }),
    ...[...observed.links.keys()]
      .filter((name) => isOurs(name) && name !== hold.far && !links.has(name))
      .map(withoutLink),
  ];
};
