import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { InvalidData, parseJson } from '../contract/check.ts';
import { NetConfig, TunnelConfig } from '../contract/config.ts';
import type { TlsFiles } from '../system/trust.ts';

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

const filesIn = (directory: string) => [join(directory, 'netcfg.json'), join(directory, 'tuncfg.json')] as const;

const textOf = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

const isNetwork = (text: string): boolean => {
  const [address = '', length, ...rest] = text.split('/');
  const family = isIP(address);
  const fits = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128));
  return family !== 0 && !address.includes('%') && fits && rest.length === 0;
};

/** What the schema can't say of values that become part of rules and commands. */
const checkValues = (net: NetConfig, path: string): NetConfig => {
  const { DefaultInterface = '', Egress, MqttCert, MqttKey, NodePublicAddress } = net;
  const networks = typeof Egress === 'object' ? Egress : [];
  const problems = [
    ...networks
      .filter((network) => !isNetwork(network))
      .map((network) => `Egress: '${network}' is not a network such as 192.168.0.0/16 or fd00::/8`),
    // The kernel's own rule for names (dev_valid_name), less quotation marks and backslashes.
    ...(/^[^\s/:"\\]{0,15}$/.test(DefaultInterface)
      ? []
      : [`DefaultInterface: '${DefaultInterface}' is no interface's name`]),
    ...(isIP(NodePublicAddress) ? [] : [`NodePublicAddress: '${NodePublicAddress}' is no address; 0.0.0.0 finds it`]),
    ...(Boolean(MqttCert) === Boolean(MqttKey) ? [] : ['MqttCert and MqttKey belong together: set both or neither']),
  ];
  if (problems.length > 0) throw new InvalidData(path, problems);
  return net;
};

/** How the broker is spoken to: in TLS when a certificate or an authority is configured, never without it then. */
export const brokerTls = ({ MqttCert, MqttKey, MqttCa }: NetConfig): TlsFiles | undefined => {
  const client = MqttCert && MqttKey ? { cert: MqttCert, key: MqttKey } : undefined;
  return client || MqttCa ? { client, ca: MqttCa || undefined } : undefined;
};

/** What the texts of `netcfg.json` and `tuncfg.json` mean; one that is missing is its defaults. Throws `InvalidData`. */
export const parseConfig = (directory: string, net: string | undefined, tunnel: string | undefined): Config => {
  const [netPath, tunnelPath] = filesIn(directory);
  return {
    net: net === undefined ? defaultNet : checkValues(parseJson(NetConfig, net, netPath), netPath),
    tunnel: tunnel === undefined ? defaultTunnel : parseJson(TunnelConfig, tunnel, tunnelPath),
  };
};

/** Reads both files of a folder. Throws `InvalidData`. */
export const readConfig = async (directory: string): Promise<Config> => {
  const [net, tunnel] = await Promise.all(filesIn(directory).map(textOf));
  return parseConfig(directory, net, tunnel);
};
