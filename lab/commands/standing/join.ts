import { plain } from '../../report/formats/wording.ts';
import type { LabStatus } from '../../standing/protocol.ts';
import type { Join } from '../../standing/registry.ts';

/** The words by which a command is told of a cluster that exists already. */
export type JoinFlags = { readonly join?: string; readonly publicAddress?: string };

/** The cluster that the words name; nothing when they name none. */
export const joinOf = ({ join, publicAddress }: JoinFlags): { readonly join?: Join } =>
  join === undefined ? {} : { join: { cluster: join, ...(publicAddress === undefined ? {} : { publicAddress }) } };

/** What a cluster has answered, and where its other workers reach the board, in lines of text. */
export const describeCluster = (cluster: NonNullable<LabStatus['cluster']>): string => {
  const { where, host, id, dialect, subnet, broker, trouble, publicAddress, ports } = cluster;
  const open = ports.filter(({ problem }) => problem === undefined).map(({ port }) => port);
  const answered = [`worker ${id ?? 'without an id'}`, `dialect ${dialect}`, `subnet ${subnet}`];
  return [
    `the cluster at ${where} knows ${host} as ${answered.join(', ')}`,
    broker === undefined ? `not connected: ${trouble ?? 'it says nothing'}` : `connected to its broker at ${broker}`,
    `${publicAddress} leads to the board: ${open.join(', ') || 'no port'}`,
    ...ports.flatMap(({ problem }) => (problem === undefined ? [] : [problem])),
    ...(publicAddress.startsWith('127.')
      ? ['other computers cannot reach that address: add --public-address where there are any']
      : []),
  ]
    .map((line) => `  ${plain(line)}\n`)
    .join('');
};
