import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../contract/check.ts';
import { NetConfig, TunnelConfig } from '../contract/config.ts';

/** Both configuration files of the net manager. */
export type Config = { readonly net: NetConfig; readonly tunnel: TunnelConfig };

/** What stands in a file that is not there (contract, section 3). */
const defaultNet: NetConfig = { NodePublicAddress: '0.0.0.0', NodePublicPort: '50103', ClusterMqttPort: '10003' };
const defaultTunnel: TunnelConfig = {
  HostTunnelDeviceName: 'goProxyTun',
  TunnelIP: '10.19.1.254',
  ProxySubnetwork: '10.30.0.0',
  ProxySubnetworkMask: '255.255.0.0',
  TunnelPort: 50_103,
  MTUsize: 1450,
  TunNetIPv6: 'fcef::dead:beef',
  ProxySubnetworkIPv6: 'fcef::',
  ProxySubnetworkIPv6Prefix: 21,
};

const textOf = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

/** Reads `netcfg.json` and `tuncfg.json` of a folder; a missing file is its defaults. Throws `InvalidData`. */
export const readConfig = async (directory: string): Promise<Config> => {
  const [netPath, tunnelPath] = [join(directory, 'netcfg.json'), join(directory, 'tuncfg.json')];
  const [net, tunnel] = await Promise.all([textOf(netPath), textOf(tunnelPath)]);
  return {
    net: net === undefined ? defaultNet : parseJson(NetConfig, net, netPath),
    tunnel: tunnel === undefined ? defaultTunnel : parseJson(TunnelConfig, tunnel, tunnelPath),
  };
};
