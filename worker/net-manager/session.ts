import type { SubnetResult } from '../contract/net-mqtt.ts';
import type { Log } from '../system/log.ts';
import { addressesOf } from '../system/node-address.ts';
import { otherNetManager } from './board-lock.ts';
import { type Announcer, createAnnouncer } from './cluster/announcer.ts';
import { type ClusterLink, openClusterLink } from './cluster/cluster-link.ts';
import { createServiceTable, type ServiceTable } from './cluster/service-table.ts';
import { requestSubnet } from './cluster/subnet.ts';
import { brokerTls, type Config } from './config.ts';
import type { Journal } from './journal.ts';
import { bridgeExists, linkNames } from './kernel/kernel.ts';
import { setUpNode } from './kernel/node.ts';
import { checkOverlap } from './kernel/overlap.ts';
import { type Network, openNetwork } from './network.ts';
import { type Overlay, openOverlay } from './overlay/overlay.ts';
import { networkOf, parseSubnet } from './plan/addresses.ts';
import { bridge } from './plan/instance.ts';
import { type Settings, settingsOf } from './plan/settings.ts';
import { brokerPortOf, portsOf, type Registration } from './registration.ts';
import { RequestError } from './request-error.ts';

/** A registration with a cluster, and the network that its addresses made possible. */
export type Session = AsyncDisposable & {
  readonly link: ClusterLink;
  readonly announcer: Announcer;
  readonly table: ServiceTable;
  /** The network if it stands by now. */
  readonly network: Network | undefined;
  /** True when instances keep addresses that the cluster gave this node under another id. */
  readonly inherited: boolean;
  /** The network as soon as it stands. Rejects when it can't be made; asking again tries again. */
  readonly whenReady: () => Promise<Network>;
};

/** Connects to the cluster, takes the node's addresses from the journal or asks for them, and makes the network. */
export const openSession = async (
  registration: Registration,
  config: Config,
  journal: Journal,
  log: Log,
): Promise<Session> => {
  const closing = new AbortController();
  const broker = {
    host: registration.cluster_address,
    port: brokerPortOf(registration, config.net),
    tls: brokerTls(config.net),
  };
  if (broker.port !== Number(config.net.ClusterMqttPort))
    log.info(
      `the broker is at port ${broker.port}, as the cluster says; ClusterMqttPort of netcfg.json, ` +
        `${config.net.ClusterMqttPort}, is for a node engine that does not tell it`,
    );
  await journal.update((contents) => ({ ...contents, registration }));
  const link = await openClusterLink(broker, registration.client_id, log);
  let network: Network | undefined;
  let attempt: Promise<Network> | undefined;

  const placed = (made: Network) =>
    made.instances.map((instance) => ({ instance, addresses: made.addressesOf(instance) }));
  const running = () => (network ? placed(network) : []);
  const announcer = createAnnouncer(config.net, registration, link, running, log);
  let overlay: Overlay | undefined;
  const table = createServiceTable(link, registration.client_id, (key, result) => overlay?.answered(key, result), log);

  const isInherited = () => {
    const { subnet, subnetOf = registration.client_id } = journal.contents;
    return subnet !== undefined && subnetOf !== registration.client_id;
  };
  const compare = (kept: SubnetResult, given: SubnetResult): void => {
    if (kept.address === given.address && kept.addressv6 === given.addressv6) return;
    log.warn(
      `the cluster gives this node ${given.address} and ${given.addressv6} under its new id; ` +
        `${kept.address} and ${kept.addressv6} are kept until the last instance has gone`,
    );
  };

  /** The settings for addresses that the journal has or the cluster gives; what the cluster gives may be nonsense. */
  const findSettings = async (): Promise<Settings> => {
    const { subnet: known, topology } = journal.contents;
    const given = () => requestSubnet(link, registration.client_id, closing.signal);
    const subnet = known ?? (await given());
    // Whom the cluster knows by a new id it may give other addresses; under a running instance they can't be changed.
    if (isInherited())
      given().then(
        (other) => compare(subnet, other),
        () => undefined,
      );
    if (!known && (await bridgeExists())) {
      const other = await otherNetManager();
      const advice =
        other === undefined
          ? `if nothing on this board uses it, remove it with: ip link del ${bridge}`
          : `PID ${other} (NetManager) runs on this board: stop that one first`;
      throw new RequestError(500, `a bridge ${bridge} exists that is not ours; ${advice}`);
    }
    try {
      const found = await addressesOf(registration.cluster_address);
      const addresses = found.length > 0 ? [...found] : (journal.contents.cluster ?? []);
      const cluster = { addresses, ports: portsOf(registration) };
      const settings = settingsOf(config, parseSubnet(subnet.address, subnet.addressv6), topology, cluster);
      if (!known) await checkOverlap(settings, config.tunnel.HostTunnelDeviceName);
      const owner = isInherited() ? {} : { subnetOf: registration.client_id };
      closing.signal.throwIfAborted();
      await journal.update((contents) => ({
        ...contents,
        ...owner,
        subnet,
        topology: settings.topology,
        cluster: addresses,
      }));
      return settings;
    } catch (error) {
      if (error instanceof RequestError) throw error;
      throw new RequestError(500, `the cluster's addresses can't be used: ${(error as Error).message}`, error);
    }
  };

  const startOverlay = (settings: Settings, { path, instances }: Network): Overlay | undefined => {
    const { trouble } = journal.contents.overlay ?? {};
    if (trouble !== undefined) log.warn(trouble);
    if (!path) return undefined;
    log.info(`the overlay stands: UDP port ${settings.tunnelPort}, service addresses ${settings.services.join(', ')}`);
    const { NodePublicAddress: told } = config.net;
    return openOverlay({
      settings,
      path,
      table,
      instances: () => network?.instances ?? instances,
      addresses: [told],
      log,
    });
  };

  const make = async (): Promise<Network> => {
    closing.signal.throwIfAborted();
    const settings = await findSettings();
    await setUpNode(settings, journal, closing.signal);
    const { uplink } = settings;
    if (uplink !== undefined && !(await linkNames()).includes(uplink))
      log.warn(
        `DefaultInterface '${uplink}' of netcfg.json is no interface of this board: until it is there, what instances send to others leaves with addresses that nobody answers to`,
      );
    closing.signal.throwIfAborted();
    network = await openNetwork(settings, journal, log);
    overlay = startOverlay(settings, network);
    const { v4, v6 } = networkOf(settings.subnet);
    log.info(`the network is ready: ${settings.topology}, ${v4} and ${v6}`);
    await announcer.deployed(running());
    for (const { service } of network.instances) table.follow(service);
    return network;
  };

  return {
    link,
    announcer,
    table,
    get network() {
      return network;
    },
    get inherited() {
      return isInherited();
    },
    whenReady: () => {
      attempt ??= make().catch((error: unknown) => {
        attempt = undefined;
        throw error;
      });
      return attempt;
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Error('the registration ended'));
      overlay?.[Symbol.dispose]();
      network?.[Symbol.dispose]();
      announcer[Symbol.dispose]();
      table[Symbol.dispose]();
      await link[Symbol.asyncDispose]();
    },
  };
};
