import { isIPv4, isIPv6 } from 'node:net';
import type { NetConfig } from '../../contract/config.ts';
import type { Config } from '../config.ts';
import { networkAt, networkOf, overlaps, type Subnet } from './addresses.ts';

/** Whether instances may open connections to other machines: to all, to none, or to the listed networks. */
type Egress = 'on' | 'off' | readonly string[];

/** The board's own services, the cluster's control plane, and link-local with the clouds' metadata addresses. */
type Access = NonNullable<NetConfig['InstanceAccess']>[number];

/** What every plan on this node depends on. */
export type Settings = {
  readonly topology: 'bridged' | 'veth';
  readonly egress: Egress;
  /** What instances may reach all the same of what is closed to them. */
  readonly access: readonly Access[];
  /** Where the cluster's control plane answers: addresses, and ports or ranges of ports. */
  readonly cluster: { readonly addresses: readonly string[]; readonly ports: readonly string[] };
  /** The networks of service addresses, which only the overlay may carry. */
  readonly services: readonly string[];
  /** Which service addresses instances may open connections to: all, or those in the listed networks; `off` is no overlay. */
  readonly overlay: Egress;
  /** The UDP port of this node that takes other nodes' packets. */
  readonly tunnelPort: number;
  readonly mtu: number;
  /** The interface that traffic of instances is masqueraded on; any but the instances' own when undefined. */
  readonly uplink: string | undefined;
  readonly subnet: Subnet;
};

type Topology = Settings['topology'];

/** The cluster's addresses, and the ports of its API and its broker as far as they are known. */
type Cluster = { readonly addresses: readonly string[]; readonly ports: readonly number[] };

/** The ports that Oakestra's control planes publish, databases included (10000 root, 10100 cluster, 10003 broker, …). */
const controlPlane = '10000-10199';

/** The range of service addresses (contract, section 6), which no route of the board's is to lead elsewhere. */
const serviceRange6 = 'fdff::/16';

/** Where clusters take workers' pools from (contract, section 6). */
const workerPools6 = 'fc00::/16';

/**
 * A configured range of service addresses beside {@link serviceRange6}. Not one outside of the unique-local addresses,
 * one as wide as to take other networks with it, nor one with workers' addresses in it: `fc00::/7` is a usual value.
 */
const configured6 = (
  { ProxySubnetworkIPv6: address, ProxySubnetworkIPv6Prefix: length }: Config['tunnel'],
  subnet: Subnet,
): readonly string[] => {
  if (!isIPv6(address) || address.includes('%') || length < 16) return [];
  const network = networkAt(address, length);
  const taken = [workerPools6, networkOf(subnet).v6, serviceRange6];
  return overlaps(network, 'fc00::/7') && !taken.some((other) => overlaps(network, other)) ? [network] : [];
};

const maskLength = (mask: string): number =>
  mask.split('.').reduce((length, part) => length + Number(part).toString(2).replaceAll('0', '').length, 0);

/** Rules know no zone, which says on which link an IPv6 address is (RFC 4007, 11). */
const withoutZone = (address: string): string => address.split('%')[0] ?? '';

/**
 * The settings that a configuration and the cluster's subnet make, with what is known of the cluster. Instances that
 * stand already keep the topology that they were made with.
 */
export const settingsOf = (
  { net, tunnel }: Config,
  subnet: Subnet,
  standing?: Topology,
  cluster: Cluster = { addresses: [], ports: [] },
): Settings => ({
  topology: standing ?? net.WasmTopology ?? 'bridged',
  egress: net.Egress ?? 'on',
  access: net.InstanceAccess ?? [],
  cluster: {
    addresses: cluster.addresses.map(withoutZone),
    ports: [...new Set([controlPlane, net.ClusterMqttPort, ...cluster.ports.map(String)])],
  },
  services: [
    ...(isIPv4(tunnel.ProxySubnetwork) && isIPv4(tunnel.ProxySubnetworkMask)
      ? [networkAt(tunnel.ProxySubnetwork, maskLength(tunnel.ProxySubnetworkMask))]
      : []),
    serviceRange6,
    ...configured6(tunnel, subnet),
  ],
  overlay: net.Overlay ?? 'on',
  tunnelPort: tunnel.TunnelPort,
  mtu: tunnel.MTUsize,
  uplink: net.DefaultInterface || undefined,
  subnet,
});
