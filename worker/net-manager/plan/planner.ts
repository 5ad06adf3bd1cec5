import { addressAt, prefix } from './addresses.ts';
import { bridge, type Instance, linksOf, namespaceOf } from './instance.ts';
import type { Change, Plan } from './plan.ts';
import { targetsOf } from './port-maps.ts';
import { addLinks, deleteLinks, ruleset, table } from './ruleset.ts';
import type { Settings } from './settings.ts';

const gatewaySlot = 1;

/**
 * The board asks for an instance's link address from its own link-local one when it forwards: without any, the first
 * packet from another machine would never arrive over IPv6.
 */
const linkLocal = 'fe80::1/64';

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

/** The board's side of the link: a port of the bridge, or an unnumbered end with one route. */
const hostSide = (settings: Settings, instance: Instance): readonly Change[] => {
  const { host } = linksOf(instance);
  if (settings.topology === 'bridged')
    return [
      { do: `link set ${host} master ${bridge}` },
      // Where br_netfilter is loaded, an instance's connection to its own mapped port returns through its own bridge port.
      { do: `link set ${host} type bridge_slave hairpin on` },
      { do: `link set ${host} up` },
    ];
  const gateway = addressAt(settings.subnet, gatewaySlot);
  const own = addressAt(settings.subnet, instance.slot);
  return [
    { do: `addr add ${gateway.v4}/32 dev ${host}` },
    { do: `addr add ${gateway.v6}/128 dev ${host} nodad` },
    { do: `addr add ${linkLocal} dev ${host} nodad` },
    { do: `link set ${host} up` },
    { do: `route add ${own.v4}/32 dev ${host} src ${gateway.v4}` },
    { do: `route add ${own.v6}/128 dev ${host}` },
  ];
};

/** What was found on the node that its plan depends on. */
export type NodeState = {
  readonly instances: readonly Instance[];
  readonly hasBridge: boolean;
  /** Interfaces that take their default route from router advertisements, which a forwarding node ignores otherwise. */
  readonly advertised: readonly string[];
};

/** What the node needs once, before any instance: forwarding, the rules and, when bridged, the bridge. */
export const planNode = (settings: Settings, { instances, hasBridge, advertised }: NodeState): Plan => {
  const gateway = addressAt(settings.subnet, gatewaySlot);
  const bridged = settings.topology === 'bridged';
  const made: readonly Change[] = [
    {
      do: `link add name ${bridge} address ${macOf(gateway.v4)} type bridge`,
      undo: `link del ${bridge}`,
    },
    // Only an MTU that is set later counts as wanted: the kernel forgets one given at creation with the last port.
    { do: `link set ${bridge} mtu ${settings.mtu}` },
    // The kernel's own link-local address would come and go with the first instance.
    { do: `link set ${bridge} addrgenmode none` },
  ];
  const addressed: readonly Change[] = [
    { do: `addr add ${gateway.v4}/${prefix.v4} dev ${bridge}` },
    { do: `addr add ${gateway.v6}/${prefix.v6} dev ${bridge} nodad` },
    { do: `addr add ${linkLocal} dev ${bridge} nodad` },
    { do: `link set ${bridge} up` },
    ...instances.flatMap((instance) => hostSide(settings, instance)),
  ];
  return [
    ...(bridged && !hasBridge
      ? [
          { tool: 'ip', changes: made } as const,
          { tool: 'sysctl', values: { [ipv6Off(bridge)]: '0' } } as const,
          { tool: 'ip', changes: addressed } as const,
        ]
      : []),
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
      holds: instances.flatMap((instance) => targetsOf(settings, instance)),
    },
  ];
};

/**
 * The instance's side. With veth no neighbour stands on the link, so the prefix makes no route there and everything
 * goes through the gateway: no proxying of ARP or neighbour discovery is needed.
 */
const innerSide = (settings: Settings, instance: Instance): readonly string[] => {
  const { inner } = linksOf(instance);
  const gateway = addressAt(settings.subnet, gatewaySlot);
  const own = addressAt(settings.subnet, instance.slot);
  const [address, route] = settings.topology === 'veth' ? [' noprefixroute', ' onlink'] : ['', ''];
  return [
    'link set lo up',
    `addr add ${own.v4}/${prefix.v4} dev ${inner}${address}`,
    `addr add ${own.v6}/${prefix.v6} dev ${inner} nodad${address}`,
    `link set ${inner} up`,
    `route add default via ${gateway.v4} dev ${inner}${route}`,
    `route add default via ${gateway.v6} dev ${inner}${route}`,
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
          undo: `netns del ${namespace}`,
        },
        {
          do: `link add name ${host} mtu ${settings.mtu} type veth peer name ${inner} address ${macOf(own.v4)} mtu ${settings.mtu} netns ${namespace}`,
          undo: `link del ${host}`,
        },
        { do: `link set ${host} addrgenmode none` },
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
      zero: [
        ipv6Off(inner),
        'net/ipv6/conf/all/accept_dad',
        `net/ipv6/conf/${inner}/accept_dad`,
        // Instances run without capabilities and listen on port 80; a container's namespace is its engine's matter.
        ...(named ? ['net/ipv4/ip_unprivileged_port_start'] : []),
      ],
      do: innerSide(settings, instance),
    },
    ...(links.length + maps.length > 0
      ? [{ tool: 'nft', do: links, undo: deleteLinks(settings, instance), maps } as const]
      : []),
  ];
};
