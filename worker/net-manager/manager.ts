import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { NetDeployRequest, NetUndeployRequest, RegisterRequest } from '../contract/net-http.ts';
import { keyedMutex } from '../system/locks/keyed-mutex.ts';
import type { Log } from '../system/log.ts';
import type { Config } from './config.ts';
import type { Journal } from './journal.ts';
import { tearDownNode } from './kernel/node.ts';
import type { Network } from './network.ts';
import type { AddressPair } from './plan/addresses.ts';
import { namespaceOf } from './plan/instance.ts';
import { brokerPortOf, type Registration, registrationOf } from './registration.ts';
import { instanceSpecOf } from './request.ts';
import { notDeployed, RequestError } from './request-error.ts';
import { openSession, type Session } from './session.ts';

/** Where an instance was put, and what may keep its traffic from flowing. */
type Deployed = AddressPair & { readonly warning: string | undefined };

/** What a node engine can ask for. Every method throws `RequestError` or `InvalidData` when it can't be done. */
export type Manager = {
  readonly register: (request: RegisterRequest) => Promise<void>;
  readonly deploy: (request: NetDeployRequest) => Promise<Deployed>;
  readonly undeploy: (request: NetUndeployRequest) => Promise<void>;
  /** Registers again as the journal says, without waiting for the cluster. */
  readonly resume: () => void;
  /** Stops waiting for the cluster: what waits for addresses is refused. */
  readonly leave: () => Promise<void>;
  /** Ends the session; instances stay or go as configured, and with the last one the node's part of the network. */
  readonly stop: () => Promise<void>;
};

// A node engine waits 10 s for an answer.
const patienceMs = 8_000;

type Current = {
  readonly registration: Registration;
  readonly session: Promise<Session>;
  /** Named by the node engine in this process's life, not only by the journal. */
  confirmed: boolean;
};

/** True when a request says nothing new. Oakestra's own engine never tells the ports of the cluster's API and broker. */
const isKnown = (known: Registration, request: Registration, { net }: Config): boolean =>
  isDeepStrictEqual(known, { ...known, ...request }) && brokerPortOf(known, net) === brokerPortOf(request, net);

/** The net manager between its two sides: requests from a node engine, messages to a cluster. */
export const createManager = (config: Config, journal: Journal, log: Log): Manager => {
  let current: Current | undefined;
  /** Deployments on their way into the network as it stands: it is not taken down under them. */
  let deploying = 0;
  const inTurn = keyedMutex();

  const begin = (registration: Registration, confirmed: boolean, former?: Promise<void>): Current => {
    const session = Promise.resolve(former).then(() => openSession(registration, config, journal, log));
    const begun = { registration, session, confirmed };
    // One that could not even be begun, for want of a certificate perhaps, does not stand in the way of the next.
    begun.session.catch(() => {
      if (current === begun) current = undefined;
    });
    return begun;
  };

  const isUnused = (): boolean => deploying === 0 && journal.contents.entries.length === 0;

  /** Ends a session for another one: what stands here stays while instances use it, or for the same worker. */
  const replace = async (former: Current, wanted: string): Promise<void> => {
    const session = await former.session;
    await session[Symbol.asyncDispose]();
    if (subnetOwner(former) !== wanted && isUnused()) await tearDownNode(journal, log);
  };
  const subnetOwner = ({ registration }: Current): string => journal.contents.subnetOf ?? registration.client_id;

  /**
   * A registration that only the journal remembers gives way to another one as long as nothing runs under it; any gives
   * way to the worker's that owned it (`former`), to which its cluster has given another id.
   */
  const select = async (request: Registration, former: string | undefined): Promise<Session> => {
    const { client_id: id } = current?.registration ?? request;
    const replaceable = current && !current.confirmed && journal.contents.entries.length === 0;
    if (id !== request.client_id && !replaceable && id !== former)
      throw new RequestError(400, `registered as ${id} already`);
    if (id !== request.client_id) log.info(`registered as ${request.client_id} in the place of ${id}`);
    if (current && !isKnown(current.registration, request, config))
      current = begin(request, true, replace(current, request.client_id));
    current ??= begin(request, true);
    current.confirmed = true;
    return current.session;
  };

  /** The session's network, waited for as long as the asker has patience; a {@link RequestError} of `status` without it. */
  const networkOf = async (session: Session, status: 500 | 503): Promise<Network> => {
    const patience = new AbortController();
    try {
      const late = delay(patienceMs, undefined, { signal: patience.signal });
      const network = await Promise.race([session.whenReady(), late]);
      if (network) return network;
    } finally {
      patience.abort();
    }
    const trouble = session.link.trouble ?? 'no answer';
    throw new RequestError(status, `no addresses from the cluster yet (${trouble}); still asking`);
  };

  const register = async (request: RegisterRequest): Promise<void> => {
    const registration = registrationOf(request, config.net);
    await networkOf(await inTurn('registration', () => select(registration, request.former_id)), 503);
  };

  /** One after the other, also while they wait for addresses: what is taken back must not be made afterwards. */
  const inItsTurn = <T>({ serviceName, instanceNumber }: NetUndeployRequest, work: () => Promise<T>): Promise<T> =>
    inTurn(namespaceOf({ service: serviceName, instance: instanceNumber }), work);

  /** With the last instance that used another id's addresses, those of the present one are taken. */
  const takeNewAddresses = async (): Promise<void> => {
    const former = current;
    if (!former || !isUnused()) return;
    const { registration } = former;
    current = begin(registration, former.confirmed, replace(former, registration.client_id));
    await current.session;
  };

  const registered = async (): Promise<Session> => {
    if (!current) throw new RequestError(400, 'not registered: POST /register first');
    return current.session;
  };

  return {
    register,
    resume: () => {
      const { registration } = journal.contents;
      if (!registration) return;
      current = begin(registration, false);
      current.session
        .then((session) => session.whenReady())
        .catch((error: unknown) => log.warn(`not yet registered again: ${(error as Error).message}`));
    },
    deploy: (request) =>
      inItsTurn(request, async () => {
        const session = await registered();
        deploying += 1;
        try {
          const network = await networkOf(session, 500);
          const spec = instanceSpecOf(request);
          const { instance, warning } = await network.deploy(spec);
          const addresses = network.addressesOf(instance);
          log.info(`${namespaceOf(instance)} has ${addresses.v4} and ${addresses.v6}`);
          if (warning !== undefined) log.warn(warning);
          // The cluster's answer has this instance in it only when it knows of it.
          void session.announcer.deployed([{ instance, addresses }]).then(() => session.table.follow(instance.service));
          return { ...addresses, warning };
        } finally {
          deploying -= 1;
        }
      }),
    undeploy: (request) =>
      inItsTurn(request, async () => {
        const session = await registered();
        // Without addresses there are no instances; with them no cluster is needed to take over what there is.
        if (!journal.contents.subnet)
          throw notDeployed(namespaceOf({ service: request.serviceName, instance: request.instanceNumber }));
        const network = await session.whenReady();
        const gone = await network.undeploy(request);
        log.info(`${namespaceOf(gone)} is gone`);
        const { service } = gone;
        if (!network.instances.some((instance) => instance.service === service)) session.table.unfollow(service);
        if (session.inherited && isUnused()) await inTurn('registration', takeNewAddresses);
      }),
    leave: async () => {
      const session = await current?.session;
      await session?.[Symbol.asyncDispose]();
    },
    stop: async () => {
      const session = await current?.session;
      const network = session?.network;
      if (network && config.net.OnStop === 'remove')
        for (const { service, instance } of network.instances)
          await network.undeploy({ serviceName: service, instanceNumber: instance });
      if (journal.contents.subnet && journal.contents.entries.length === 0) await tearDownNode(journal, log);
    },
  };
};
