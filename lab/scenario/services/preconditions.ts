import { BlockList, isIPv6 } from 'node:net';
import type { Machine } from '../../machine/machine.ts';
import { type BoardState, observeBoard } from '../../machine/troubles.ts';
import { LabError } from '../../system/errors.ts';
import { type Scenario, subnet6Of } from '../scenario.ts';
import { serviceName } from './deploy.ts';

/** What a scenario makes on its board: networks as `address/prefix`, and names of links and namespaces. */
export type Claims = { readonly networks: readonly string[]; readonly names: readonly RegExp[] };

const bridge = 'goProxyBridge';

/** What the worker makes for a scenario, and what the scenario itself says it makes. */
export const claimsOf = ({ network, claims }: Pick<Scenario, 'network' | 'claims'>): Claims => ({
  networks: [`${network.subnet}/26`, `${subnet6Of(network)}/120`, ...(claims?.networks ?? [])],
  names: [
    new RegExp(`^(${bridge}|veth00oak.*)$`),
    new RegExp(`^${RegExp.escape(serviceName)}\\.instance\\.\\d+$`),
    ...(claims?.names ?? []).map((name) => new RegExp(`^${RegExp.escape(name)}$`)),
  ],
});

const listOf = (address: string, prefix: number): BlockList => {
  const list = new BlockList();
  list.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4');
  return list;
};

const overlap = (a: string, b: string): boolean => {
  const [[first = '', firstPrefix], [second = '', secondPrefix]] = [a.split('/'), b.split('/')];
  if (isIPv6(first) !== isIPv6(second)) return false;
  const family = isIPv6(first) ? 'ipv6' : 'ipv4';
  return (
    listOf(first, Number(firstPrefix)).check(second, family) ||
    listOf(second, Number(secondPrefix)).check(first, family)
  );
};

/** What of a scenario's names and networks there is on a board already, each with the command that removes it. */
export const conflicts = (
  { links, namespaces }: BoardState,
  { networks, names }: Claims,
): readonly { readonly description: string; readonly remedy: string }[] => {
  const isClaimed = (name: string) => names.some((claimed) => claimed.test(name));
  return [
    ...namespaces
      .filter(isClaimed)
      .map((name) => ({ description: `the namespace ${name}`, remedy: `ip netns delete ${name}` })),
    ...links
      .filter(({ ifname }) => isClaimed(ifname))
      .map(({ ifname }) => ({ description: `the link ${ifname}`, remedy: `ip link delete ${ifname}` })),
    ...links
      .filter(({ ifname }) => !isClaimed(ifname))
      .flatMap(({ ifname, addr_info }) =>
        addr_info
          .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
          .filter((address) => networks.some((network) => overlap(network, address)))
          .map((address) => ({
            description: `${address} on ${ifname}`,
            remedy: `ip address delete ${address} dev ${ifname}`,
          })),
      ),
  ];
};

/** Where a worker keeps what it owns. While it has that, its bridge, links and namespaces are its own business. */
const journal = '/var/lib/oakestra/netmanager';

/**
 * Refuses, as incomplete, to begin a scenario on a board that has something of its names or networks already: what was
 * not made by the worker there must neither be used nor removed.
 */
export const checkPreconditions = async (machine: Machine, scenario: Scenario): Promise<void> => {
  const { stdout: owned } = await machine.exec(['find', journal, '-type', 'f']);
  if (owned.trim() !== '') return;
  const found = conflicts(await observeBoard((argv) => machine.exec(argv)), claimsOf(scenario));
  if (found.length === 0) return;
  throw new LabError(`these exist already on the board: ${found.map(({ description }) => description).join(', ')}`, {
    fault: 'incomplete',
    next: ['when nothing else needs it, on the board:', ...found.map(({ remedy }) => remedy)],
  });
};
