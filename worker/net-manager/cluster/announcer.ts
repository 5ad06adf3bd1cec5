import type { NetConfig } from '../../contract/config.ts';
import type { ServiceDeployed } from '../../contract/net-mqtt.ts';
import { netTopics } from '../../contract/topics.ts';
import type { Log } from '../../system/log.ts';
import { addressTowards } from '../../system/node-address.ts';
import type { AddressPair } from '../plan/addresses.ts';
import type { Instance } from '../plan/instance.ts';
import type { Registration } from '../registration.ts';
import type { ClusterLink } from './cluster-link.ts';

/** An instance with its addresses, as the cluster is told of it. */
export type Placed = { readonly instance: Instance; readonly addresses: AddressPair };

export type Announcer = Disposable & {
  /** Tells the cluster where instances are; never rejects, the log has what went wrong. */
  readonly deployed: (placed: readonly Placed[]) => Promise<void>;
};

const lookAgainMs = 10_000;

/** Tells a cluster where a node's instances can be reached, again when the node's own address changes. */
export const createAnnouncer = (
  { NodePublicAddress, NodePublicPort }: NetConfig,
  { client_id: id, cluster_address: cluster }: Registration,
  link: ClusterLink,
  running: () => readonly Placed[],
  log: Log,
): Announcer => {
  const nodeAddress = () => (NodePublicAddress === '0.0.0.0' ? addressTowards(cluster) : NodePublicAddress);
  const topics = netTopics(id);
  let announced: string | undefined;

  const message = ({ instance, addresses }: Placed, host: string): ServiceDeployed => ({
    appname: instance.service,
    status: 'DEPLOYED',
    instance_number: instance.instance,
    nsip: addresses.v4,
    nsipv6: addresses.v6,
    host_ip: host,
    host_port: NodePublicPort,
  });

  const look = async (): Promise<void> => {
    const host = await nodeAddress();
    if (announced !== undefined && announced !== host) {
      log.info(`this node's address changed from ${announced} to ${host}`);
      for (const placed of running()) link.publish(topics.addressChanged, message(placed, host));
    }
    announced = host;
  };

  // A node that is offline for a while has no address to tell.
  const lookAround = () => look().catch((error: unknown) => log.debug((error as Error).message));
  const timer = setInterval(lookAround, lookAgainMs).unref();
  const reconnected = link.onConnect(lookAround);

  return {
    deployed: async (placed) => {
      try {
        const host = await nodeAddress();
        announced ??= host;
        for (const each of placed) link.publish(topics.serviceDeployed, message(each, host));
      } catch (error) {
        log.warn(`a deployment could not be announced to the cluster: ${(error as Error).message}`);
      }
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      reconnected[Symbol.dispose]();
    },
  };
};
