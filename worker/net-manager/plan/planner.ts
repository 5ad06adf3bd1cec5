import { addressAt, networkOf, prefix } from './addresses.ts';
import { bridge, type Instance, linksOf, namespaceOf } from './instance.ts';
import { addressFact, routeFact } from './observed.ts';
import type { Change, Plan } from './plan.ts';
import { targetsOf } from './port-maps.ts';
import { addLinks, deleteLinks, ruleset, table } from './ruleset.ts';
import type { Settings } from './settings.ts';

const gatewaySlot = 1;

/**
 * The board asks for an instance's link address from its own link-local one when it forwards: without any, the first
 * packet from another machine would never arrive over IPv6.
 */
const linkLocal = { address: 'fe80::1/64', network: 'fe80::/64' } as const;

/**
 * A locally administered link address made from the IPv4 address. Fixed, because a bridge otherwise takes its address
 * from its ports and changes it under the neighbours' feet when one comes or goes.
 */
const macOf = (v4: string): string => {
  const bytes = v4.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['0a', '58', ...bytes].join(':');
};

/** The setting that keeps IPv6 off a link. A hardened board makes new links with 1; it only ever changes for our own. */
const ipv6Off = (link: string): string => `net/ipv6/conf/${link}/disable_ipv6`;

const address = (address: string, link: string, more = ''): Change => ({
  do: `addr add ${address} dev ${link}${more}`,
  is: { address: addressFact(address, link) },
});

/** The kernel makes it with the address and takes it away when the link goes down; what flushes routes takes it too. */
const connected = (network: string, link: string, more: string): Change => ({
  do: `route replace ${network} dev ${link} proto kernel ${more}`,
  is: { route: routeFact(network, { link }) },
  follows: true,
});

const up = (link: string): Change => ({ do: `link set ${link} up`, is: { link, has: { up: true } } });

const mtuOf = (settings: Settings, link: string): Change => ({
  do: `link set ${link} mtu ${settings.mtu}`,
  is: { link, has: { mtu: settings.mtu } },
});

/** The kernel's own link-local address would come and go with the first instance. */
const noOwnAddress = (link: string): Change => ({
  do: `link set ${link} addrgenmode none`,
  is: { link },
});

/** The board's side of the link: a port of the bridge, or an unnumbered end with one route. */
const hostSide = (settings: Settings, instance: Instance): readonly Change[] => {
  const { host } = linksOf(instance);
  if (settings.topology === 'bridged')
    return [
      { do: `link set ${host} master ${bridge}`, is: { link: host, has: { master: bridge } } },
      // Where br_netfilter is loaded, an instance's connection to its own mapped port returns through its own bridge port.
      { do: `link set ${host} type bridge_slave hairpin on`, is: { link: host, has: { hairpin: true } } },
      up(host),
    ];
  const gateway = addressAt(settings.subnet, gatewaySlot);
  const own = addressAt(settings.subnet, instance.slot);
  return [
    address(`${gateway.v4}/32`, host),
    address(`${gateway.v6}/128`, host, ' nodad'),
    address(linkLocal.address, host, ' nodad'),
    up(host),
    {
      do: `route replace ${own.v4}/32 dev ${host} src ${gateway.v4}`,
      is: { route: routeFact(own.v4, { link: host }) },
    },
    { do: `route replace ${own.v6}/128 dev ${host}`, is: { route: routeFact(own.v6, { link: host }) } },
    connected(linkLocal.network, host, 'metric 256'),
  ];
};

/** What was found on the node that its plan depends on. */
export type NodeState = {
  readonly instances: readonly Instance[];
  /** Interfaces that take their default route from router advertisements, which a forwarding node ignores otherwise. */
  readonly advertised: readonly string[];
  /** IPv6 is off on `lo`, which the kernel needs for a route that leads nowhere. */
  readonly loopbackWithout6?: boolean;
};

/** The mark of routes that this program owns: a number of a routing protocol that nobody else has. */
export const routeMark = 'proto 79';

/** Without an overlay nothing may carry service addresses; a route of somebody's own for a part of them comes first. */
const unreachable = (network: string): Change => ({
  do: `route add unreachable ${network} ${routeMark} metric 9999`,
  is: { route: routeFact(`unreachable ${network}`, {}) },
  undo: `route del unreachable ${network} ${routeMark} metric 9999`,
});

/** What the node needs once, before any instance: forwarding, the rules and, when bridged, the bridge. */
export const planNode = (settings: Settings, state: NodeState): Plan => {
  const { instances, advertised, loopbackWithout6 = false } = state;
  const gateway = addressAt(settings.subnet, gatewaySlot);
  const network = networkOf(settings.subnet);
  const bridged = settings.topology === 'bridged';
  const mac = macOf(gateway.v4);
  const made: readonly Change[] = [
    {
      do: `link add name ${bridge} address ${mac} type bridge`,
      is: { link: bridge },
      undo: `link del ${bridge}`,
    },
    { do: `link set ${bridge} address ${mac}`, is: { link: bridge, has: { mac } } },
    // Only an MTU that is set later counts as wanted: the kernel forgets one given at creation with the last port.
    mtuOf(settings, bridge),
    noOwnAddress(bridge),
  ];
  const addressed: readonly Change[] = [
    address(`${gateway.v4}/${prefix.v4}`, bridge),
    address(`${gateway.v6}/${prefix.v6}`, bridge, ' nodad'),
    address(linkLocal.address, bridge, ' nodad'),
    up(bridge),
    connected(network.v4, bridge, `scope link src ${gateway.v4}`),
    connected(network.v6, bridge, 'metric 256'),
    connected(linkLocal.network, bridge, 'metric 256'),
  ];
  return [
    ...(bridged
      ? [
          { tool: 'ip', changes: made } as const,
          { tool: 'sysctl', values: { [ipv6Off(bridge)]: '0' } } as const,
          { tool: 'ip', changes: addressed } as const,
        ]
      : []),
    {
      tool: 'ip',
      changes: settings.services
        .filter((network) => !(loopbackWithout6 && network.includes(':')))
        .map((network) => unreachable(network)),
    },
    {
      tool: 'sysctl',
      values: {
        ...Object.fromEntries(advertised.map((name) => [`net/ipv6/conf/${name}/accept_ra`, '2'])),
        'net/ipv4/ip_forward': '1',
        'net/ipv6/conf/all/forwarding': '1',
        ...(bridged && { [`net/ipv4/conf/${bridge}/route_localnet`]: '1' }),
      },
    },
    {
      tool: 'nft',
      do: ruleset(settings, instances),
      undo: [`delete table ${table}`],
      whole: [table],
      holds: instances.flatMap((instance) => targetsOf(settings, instance)),
    },
  ];
};

/**
 * The instance's side. With veth no neighbour stands on the link, so the prefix makes no route there and everything
 * goes through the gateway: no proxying of ARP or neighbour discovery is needed.
 */
const innerSide = (settings: Settings, instance: Instance): readonly Change[] => {
  const { inner } = linksOf(instance);
  const gateway = addressAt(settings.subnet, gatewaySlot);
  const own = addressAt(settings.subnet, instance.slot);
  const network = networkOf(settings.subnet);
  const veth = settings.topology === 'veth';
  const [noRoute, onLink] = veth ? [' noprefixroute', ' onlink'] : ['', ''];
  const byGateway = (via: string): Change => ({
    do: `route replace default via ${via} dev ${inner}${onLink}`,
    is: { route: routeFact('default', { link: inner, via }) },
  });
  return [
    up('lo'),
    address(`${own.v4}/${prefix.v4}`, inner, noRoute),
    address(`${own.v6}/${prefix.v6}`, inner, ` nodad${noRoute}`),
    up(inner),
    ...(veth
      ? []
      : [connected(network.v4, inner, `scope link src ${own.v4}`), connected(network.v6, inner, 'metric 256')]),
    byGateway(gateway.v4),
    byGateway(gateway.v6),
  ];
};

/**
 * The network of one instance, in the fewest processes: two, one more with veth, whose link gets addresses on the board
 * too, and one more when the rules have elements for it.
 */
export const planInstance = (settings: Settings, instance: Instance): Plan => {
  const namespace = namespaceOf(instance);
  const { host, inner } = linksOf(instance);
  const own = addressAt(settings.subnet, instance.slot);
  const named = instance.pid === 0;
  const links = addLinks(settings, instance);
  const maps = targetsOf(settings, instance);
  return [
    {
      tool: 'ip',
      changes: [
        {
          do: named ? `netns add ${namespace}` : `netns attach ${namespace} ${instance.pid}`,
          is: { namespace },
          undo: `netns del ${namespace}`,
        },
        {
          do: `link add name ${host} mtu ${settings.mtu} type veth peer name ${inner} address ${macOf(own.v4)} mtu ${settings.mtu} netns ${namespace}`,
          is: { link: host },
          undo: `link del ${host}`,
        },
        mtuOf(settings, host),
        noOwnAddress(host),
        ...(settings.topology === 'bridged' ? hostSide(settings, instance) : []),
      ],
    },
    ...(settings.topology === 'veth'
      ? [
          { tool: 'sysctl', values: { [ipv6Off(host)]: '0', [`net/ipv4/conf/${host}/route_localnet`]: '1' } } as const,
          { tool: 'ip', changes: hostSide(settings, instance) } as const,
        ]
      : []),
    {
      tool: 'inside',
      namespace,
      link: host,
      zero: [
        ipv6Off(inner),
        'net/ipv6/conf/all/accept_dad',
        `net/ipv6/conf/${inner}/accept_dad`,
        // Instances run without capabilities and listen on port 80; a container's namespace is its engine's matter.
        ...(named ? ['net/ipv4/ip_unprivileged_port_start'] : []),
      ],
      changes: innerSide(settings, instance),
    },
    ...(links.length + maps.length > 0
      ? [{ tool: 'nft', do: links, undo: deleteLinks(settings, instance), maps } as const]
      : []),
  ];
};
