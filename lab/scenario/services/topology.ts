import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { nthSubnet } from '../../cluster/subnets.ts';
import { execOk, type Machine } from '../../machine/machine.ts';
import type { Topology } from '../../report/model/results.ts';
import type { RunBoard } from '../board/run-board.ts';
import { type NetworkSpec, type Service, subnet6Of } from '../scenario.ts';
import type { Services } from './deploy.ts';

const Links = Type.Array(
  Type.Object({
    ifname: Type.String(),
    master: Type.Optional(Type.String()),
    link_netnsid: Type.Optional(Type.Integer()),
    addr_info: Type.Array(Type.Object({ family: Type.String(), local: Type.String(), scope: Type.String() })),
  }),
);

const Namespaces = Type.Array(Type.Object({ name: Type.String(), id: Type.Optional(Type.Integer()) }));

/** A board's links and namespaces, as iproute2 describes them. */
export type BoardNetwork = {
  readonly links: Type.Static<typeof Links>;
  readonly namespaces: Type.Static<typeof Namespaces>;
};

/** A service with the ports that were asked for, as `80:8080;53`. */
export type Placed = Pick<Service, 'task' | 'address'> & { readonly ports: string };

/**
 * The network as the report draws it: names and addresses are the board's own, as far as it says them. The gateway is
 * by the contract the address after the subnet's.
 */
export const topologyOf = (
  { topology: kind, subnet }: NetworkSpec,
  services: readonly Placed[],
  { links, namespaces }: BoardNetwork,
): Topology => {
  const gateway = subnet.replace(/\d+$/, (last) => String(Number(last) + 1));
  const door = links.find(({ addr_info }) => addr_info.some(({ local }) => local === gateway));
  const gateway6 = door?.addr_info.find(({ family, scope }) => family === 'inet6' && scope === 'global')?.local;
  const linkOf = (task: string) => {
    const id = namespaces.find(({ name }) => name === task)?.id;
    return id === undefined ? undefined : links.find(({ link_netnsid }) => link_netnsid === id)?.ifname;
  };
  return {
    kind,
    gateway,
    ...(gateway6 === undefined ? {} : { gateway6 }),
    ...(kind === 'bridged' && door ? { bridge: door.ifname } : {}),
    instances: services.map(({ task, address, ports }) => {
      const link = linkOf(task);
      return {
        task,
        address: address.v4,
        ...(address.v6 === '' ? {} : { address6: address.v6 }),
        ...(link === undefined ? {} : { link }),
        ports: ports === '' ? [] : ports.split(';'),
      };
    }),
  };
};

/** Asks the board how its links and namespaces are wired. */
const wiringOf = async (machine: Machine): Promise<BoardNetwork> => {
  const ask = (...words: string[]) => execOk(machine, ['ip', '-json', ...words]);
  const [links, namespaces] = await Promise.all([ask('address', 'show'), ask('netns', 'list')]);
  return {
    links: parseJson(Links, links, "'ip address show' on the board"),
    namespaces: parseJson(Namespaces, namespaces.trim() || '[]', "'ip netns list' on the board"),
  };
};

/** What is drawn of a board that is no longer there, or was not asked. */
const unwired: BoardNetwork = { links: [], namespaces: [] };

/** The network of the nth board, from 0. */
const networkOf = (network: NetworkSpec, n: number): NetworkSpec => {
  const { address, addressv6 } = nthSubnet({ address: network.subnet, addressv6: subnet6Of(network) }, n);
  return { ...network, subnet: address, subnet6: addressv6 };
};

/**
 * Keeps the network of each board as it is drawn: at its fullest, with the links that the board gives once the step
 * that made it has ended. A service that does not outlive its step is drawn without.
 */
export const topologyRecorder = (boards: readonly RunBoard[], services: Services) => {
  const drawn = boards.map(() => 0);
  const placedOn = ({ name }: RunBoard): readonly Placed[] =>
    services
      .left()
      .filter(({ board }) => board.board === name)
      .map(({ task, address, port = '' }) => ({ task, address, ports: port }));
  return {
    deployed: (network: NetworkSpec) => {
      for (const [n, board] of boards.entries())
        board.topology ??= topologyOf(networkOf(network, n), placedOn(board), unwired);
    },
    stepEnded: async (network: NetworkSpec) => {
      for (const [n, board] of boards.entries()) {
        const now = placedOn(board);
        if (now.length <= (drawn[n] ?? 0)) continue;
        drawn[n] = now.length;
        board.topology = topologyOf(networkOf(network, n), now, await wiringOf(board.machine).catch(() => unwired));
      }
    },
  };
};
