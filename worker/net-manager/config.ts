import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { InvalidData } from '../contract/check.ts';
import { NetConfig, TunnelConfig } from '../contract/config.ts';
import { readHost } from '../contract/host.ts';
import { readJson, type Warn } from '../contract/read.ts';
import type { TlsFiles } from '../system/trust.ts';

/** Both configuration files of the net manager. */
export type Config = { readonly net: NetConfig; readonly tunnel: TunnelConfig };

const filesIn = (directory: string) => [join(directory, 'netcfg.json'), join(directory, 'tuncfg.json')] as const;

const textOf = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
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
  const { DefaultInterface = '', Egress, Overlay, MqttCert, MqttKey, NodePublicAddress } = net;
  const wrongNetworks = (key: string, listed: NetConfig['Egress'], example: string) =>
    (typeof listed === 'object' ? listed : [])
      .filter((network) => !isNetwork(network))
      .map((network) => `${key}: '${network}' is not a network such as ${example}`);
  const problems = [
    ...wrongNetworks('Egress', Egress, '192.168.0.0/16 or fd00::/8'),
    ...wrongNetworks('Overlay', Overlay, '10.30.0.0/24 or fdff:2000::/32'),
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

/** Hosts as they are used, without blanks and brackets. Throws `InvalidData` for more than a host. */
const withHosts = (net: NetConfig, path: string): NetConfig => {
  const { NodePublicAddress, ClusterUrl } = net;
  const cluster = ClusterUrl === undefined ? {} : { ClusterUrl: readHost(ClusterUrl, `${path}: ClusterUrl`) };
  const own = readHost(NodePublicAddress, `${path}: NodePublicAddress`, 'NodePublicPort') || '0.0.0.0';
  return { ...net, ...cluster, NodePublicAddress: own };
};

/** What the texts of `netcfg.json` and `tuncfg.json` mean; one that is missing is its defaults. Throws `InvalidData`. */
export const parseConfig = (
  directory: string,
  net: string | undefined,
  tunnel: string | undefined,
  note: Warn,
): Config => {
  const [netPath, tunnelPath] = filesIn(directory);
  return {
    net: checkValues(withHosts(readJson(NetConfig, net ?? '{}', netPath, note), netPath), netPath),
    tunnel: readJson(TunnelConfig, tunnel ?? '{}', tunnelPath, note),
  };
};

/** Reads both files of a folder. Throws `InvalidData`. */
export const readConfig = async (directory: string, note: Warn): Promise<Config> => {
  const [net, tunnel] = await Promise.all(filesIn(directory).map(textOf));
  return parseConfig(directory, net, tunnel, note);
};
