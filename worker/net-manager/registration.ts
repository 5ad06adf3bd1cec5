import Type, { type Static } from 'typebox';
import type { NetConfig } from '../contract/config.ts';
import { readHost } from '../contract/host.ts';
import { workerId } from '../contract/names.ts';
import type { RegisterRequest } from '../contract/net-http.ts';
import { RequestError } from './request-error.ts';

/** Who this node is to its cluster, and where that cluster is: a host name or an address, and the ports of its API and its broker if told. */
export const Registration = Type.Object({
  client_id: Type.String({ pattern: workerId }),
  cluster_address: Type.String({ minLength: 1 }),
  cluster_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  broker_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
});
export type Registration = Static<typeof Registration>;

/** What a request registers; without an address of its own it is the one in netcfg.json. Throws `InvalidData`, `RequestError`. */
export const registrationOf = (request: RegisterRequest, net: NetConfig): Registration => {
  const { client_id, cluster_address, cluster_port, broker_port } = request;
  const host = readHost(cluster_address ?? net.ClusterUrl ?? '', 'cluster_address', 'ClusterMqttPort of netcfg.json');
  if (['', '0.0.0.0', '::'].includes(host)) throw new RequestError(400, 'cluster_address names no cluster');
  return {
    ...{ client_id, cluster_address: host },
    ...(cluster_port !== undefined && { cluster_port }),
    ...(broker_port !== undefined && { broker_port }),
  };
};

/** Where the broker is: as the cluster said, if the node engine tells; Oakestra's own does not, and netcfg.json has it. */
export const brokerPortOf = ({ broker_port }: Registration, { ClusterMqttPort }: NetConfig): number =>
  broker_port ?? Number(ClusterMqttPort);

/** The ports of the cluster's that a registration told. */
export const portsOf = ({ cluster_port, broker_port }: Registration): readonly number[] =>
  [cluster_port, broker_port].filter((port) => port !== undefined);
