import type { Config } from '../config.ts';
import type { Subnet } from './addresses.ts';

/** Whether instances may open connections to other machines: to all, to none, or to the listed networks. */
type Egress = 'on' | 'off' | readonly string[];

/** What every plan on this node depends on. */
export type Settings = {
  readonly topology: 'bridged' | 'veth';
  readonly egress: Egress;
  readonly mtu: number;
  /** The interface that traffic of instances is masqueraded on; any but the instances' own when undefined. */
  readonly uplink: string | undefined;
  readonly subnet: Subnet;
};

type Topology = Settings['topology'];

/**
 * The settings that a configuration and the cluster's subnet make. Instances that stand already keep the topology
 * that they were made with.
 */
export const settingsOf = ({ net, tunnel }: Config, subnet: Subnet, standing?: Topology): Settings => ({
  topology: standing ?? net.WasmTopology ?? 'bridged',
  egress: net.Egress ?? 'on',
  mtu: tunnel.MTUsize,
  uplink: net.DefaultInterface || undefined,
  subnet,
});
