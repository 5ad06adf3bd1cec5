import { InvalidData } from '../contract/check.ts';
import { isServiceName } from '../contract/names.ts';
import type { NetDeployRequest, NetUndeployRequest, RegisterRequest } from '../contract/net-http.ts';
import type { SubnetResult } from '../contract/net-mqtt.ts';
import { parsePorts } from '../contract/ports.ts';
import type { Log } from '../system/log.ts';
import { type AddressPair, parseSubnet } from './addresses.ts';
import { type ClusterLink, openClusterLink } from './cluster-link.ts';
import type { Config } from './config.ts';
import type { Instance } from './instance.ts';
import type { Journal } from './journal.ts';
import { type Network, startNetwork, type Wanted } from './network.ts';
import { addressTowards } from './node-address.ts';
import { Refusal } from './refusal.ts';
import { settingsOf } from './settings.ts';

/** What a node engine can ask for. Every method throws {@link Refusal} when it can't be done. */
export type Manager = AsyncDisposable & {
  readonly register: (request: RegisterRequest) => Promise<void>;
  readonly deploy: (request: NetDeployRequest) => Promise<AddressPair>;
  readonly undeploy: (request: NetUndeployRequest) => Promise<void>;
};

type Session = {
  readonly registration: RegisterRequest;
  readonly link: ClusterLink;
  /** The network once the cluster has given addresses; rejects only when the session ends or nothing can be made. */
  readonly network: Promise<Network>;
};

// A node engine waits 10 s for an answer.
const registerPatienceMs = 8_000;

/** The request with its name and ports checked. Throws `InvalidData`. */
export const wantedFrom = (request: NetDeployRequest): Wanted => {
  if (!isServiceName(request.serviceName))
    throw new InvalidData('serviceName', [
      `'${request.serviceName}': expected four names of 1 to 30 letters or digits, joined by dots`,
    ]);
  return {
    serviceName: request.serviceName,
    instanceNumber: request.instanceNumber,
    pid: request.pid ?? 0,
    ports: parsePorts(request.portMappings ?? ''),
  };
};

/** The net manager between its two sides: requests from a node engine, messages to a cluster. */
export const createManager = (config: Config, journal: Journal, log: Log): Manager => {
  const closing = new AbortController();
  let session: Session | undefined;

  const brokerOf = (host: string) => {
    const { ClusterMqttPort, MqttCert, MqttKey } = config.net;
    return {
      host,
      port: Number(ClusterMqttPort),
      certificate: MqttCert && MqttKey ? { cert: MqttCert, key: MqttKey } : undefined,
    };
  };

  const makeNetwork = async (subnet: SubnetResult): Promise<Network> => {
    const settings = settingsOf(config, parseSubnet(subnet.address, subnet.addressv6));
    const network = await startNetwork(settings, journal, log);
    log.info(`the network stands: ${settings.topology}, ${subnet.address} and ${subnet.addressv6}`);
    return network;
  };

  const open = async (registration: RegisterRequest): Promise<Session> => {
    const link = await openClusterLink(brokerOf(registration.cluster_address), registration.client_id, log);
    const network = link.subnet(closing.signal).then(makeNetwork);
    network.catch((error: unknown) => {
      if (!closing.signal.aborted) log.error(`no network: ${(error as Error).message}`);
    });
    return { registration, link, network };
  };

  let opening: Promise<Session> | undefined;

  const register = async (request: RegisterRequest): Promise<void> => {
    if (session && session.registration.client_id !== request.client_id)
      throw new Refusal(400, `registered as ${session.registration.client_id} already`);
    opening ??= open(request);
    session = await opening;
    const patience = AbortSignal.timeout(registerPatienceMs);
    const tooLong = new Promise<never>((_, reject) =>
      patience.addEventListener('abort', () =>
        reject(
          new Refusal(
            503,
            `no addresses from the cluster yet (${session?.link.trouble ?? 'it has not answered'}); still asking`,
          ),
        ),
      ),
    );
    await Promise.race([session.network, tooLong]);
  };

  const ready = async (): Promise<{ readonly session: Session; readonly network: Network }> => {
    if (!session) throw new Refusal(400, 'not registered: POST /register first');
    const { link } = session;
    const waiting = Symbol('waiting');
    const network = await Promise.race([session.network, Promise.resolve(waiting)]);
    if (typeof network === 'symbol')
      throw new Refusal(500, `the cluster has given no addresses yet (${link.trouble ?? 'it has not answered'})`);
    return { session, network };
  };

  const announce = async (active: Session, network: Network, instance: Instance): Promise<void> => {
    const { NodePublicAddress, NodePublicPort } = config.net;
    const own = network.addressesOf(instance);
    const host =
      NodePublicAddress === '0.0.0.0' ? await addressTowards(active.registration.cluster_address) : NodePublicAddress;
    active.link.announce({
      appname: instance.service,
      status: 'DEPLOYED',
      instance_number: instance.instance,
      nsip: own.v4,
      nsipv6: own.v6,
      host_ip: host,
      host_port: NodePublicPort,
    });
  };

  return {
    register,
    deploy: async (request) => {
      const wanted = wantedFrom(request);
      const { session: active, network } = await ready();
      const instance = await network.deploy(wanted);
      announce(active, network, instance).catch((error: unknown) =>
        log.warn(`the cluster was not told of ${instance.service}: ${(error as Error).message}`),
      );
      return network.addressesOf(instance);
    },
    undeploy: async (request) => {
      const { network } = await ready();
      await network.undeploy(request);
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Error('the net manager is stopping'));
      await session?.link[Symbol.asyncDispose]();
    },
  };
};
