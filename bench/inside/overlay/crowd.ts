import { type NodeName, nodeAddress } from '../../../test/support/boards.ts';
import { addresses } from '../../../test/support/cluster/table.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import { Contents } from '../../../worker/net-manager/journal.ts';
import type { Size } from './records.ts';

const tunnelPort = 50_103;

/** The first of the services that only make tables large. */
const first = 256;

/** The service with a number in the cluster's table. */
export const serviceName = (number: number): string => `app.ns.s${number}.ns`;

/** A row of the cluster's table. */
type Row = {
  readonly instance_number: number;
  readonly namespace_ip: string;
  readonly namespace_ip_v6: string;
  readonly host_ip: string;
  readonly host_port: number;
};

/** A service that nobody calls. */
type Extra = { readonly number: number; readonly name: string; readonly rows: readonly Row[] };

/** Both nodes, and as many more as a node has others besides. */
const hostsOf = (peers: number): readonly string[] => [
  ...Object.values(nodeAddress),
  ...Array.from({ length: peers - 1 }, (_, at) => `192.168.77.${100 + at}`),
];

/**
 * The services beside the called one, each with instances on two of the nodes, so that both nodes have one instance to
 * lead to at least, and every node is of one service or more.
 */
export const crowdOf = ({ services, peers }: Size): readonly Extra[] => {
  const hosts = hostsOf(peers);
  return Array.from({ length: services - 1 }, (_, at) => ({
    number: first + at,
    name: serviceName(first + at),
    rows: [0, 1].map((instance) => {
      const place = (at + instance) % hosts.length;
      return {
        instance_number: instance,
        namespace_ip: `10.18.${100 + place}.${2 + (at % 60)}`,
        namespace_ip_v6: `fc00::${(0x1000 + place * 256 + 2 + (at % 60)).toString(16)}`,
        host_ip: hosts[place] ?? '',
        host_port: tunnelPort,
      };
    }),
  }));
};

/** The journal of a node, in which the services of a crowd take the place of the ones of another crowd. */
export const withCrowd = (journal: string, node: NodeName, crowd: readonly Extra[]): string => {
  const contents = parseJson(Contents, journal, 'the journal');
  const isExtra = (name: string) => Number(/\.s(\d+)\./.exec(name)?.[1]) >= first;
  const services = [
    ...(contents.overlay?.services ?? []).filter(({ name }) => !isExtra(name)),
    ...crowd.map(({ number, name, rows }) => ({
      name,
      addresses: Object.values(addresses(number).any),
      rows: rows.map((row) => ({
        number: row.instance_number,
        instance: addresses(number).of(row.instance_number),
        ...(row.host_ip === nodeAddress[node]
          ? { inner: {} }
          : {
              inner: { v4: row.namespace_ip, v6: row.namespace_ip_v6 },
              node: { address: row.host_ip, port: row.host_port },
            }),
      })),
    })),
  ];
  return JSON.stringify({ ...contents, overlay: { ...contents.overlay, services } });
};
