import { setTimeout as delay } from 'node:timers/promises';
import { InvalidData } from '../contract/check.ts';
import { isServiceName } from '../contract/names.ts';
import type { NetDeployRequest, NetUndeployRequest, RegisterRequest } from '../contract/net-http.ts';
import { parsePorts } from '../contract/ports.ts';
import type { Log } from '../system/log.ts';
import type { AddressPair } from './addresses.ts';
import type { Config } from './config.ts';
import type { Journal } from './journal.ts';
import type { Network, Wanted } from './network.ts';
import { tearDownNode } from './node.ts';
import { Refusal } from './refusal.ts';
import { openSession, type Session } from './session.ts';

/** What a node engine can ask for. Every method throws `Refusal` or `InvalidData` when it can't be done. */
export type Manager = {
  readonly register: (request: RegisterRequest) => Promise<void>;
  readonly deploy: (request: NetDeployRequest) => Promise<AddressPair>;
  readonly undeploy: (request: NetUndeployRequest) => Promise<void>;
  /** Registers again as the journal says, without waiting for the cluster. */
  readonly resume: () => void;
  /** Ends the session; instances stay or go as configured, and with the last one the node's part of the network. */
  readonly stop: () => Promise<void>;
};

// A node engine waits 10 s for an answer.
const patienceMs = 8_000;

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

type Current = {
  readonly id: string;
  readonly session: Promise<Session>;
  /** Named by the node engine in this process's life, not only by the journal. */
  confirmed: boolean;
};

/** The net manager between its two sides: requests from a node engine, messages to a cluster. */
export const createManager = (config: Config, journal: Journal, log: Log): Manager => {
  let current: Current | undefined;

  const begin = (request: RegisterRequest, confirmed: boolean): Current => ({
    id: request.client_id,
    session: openSession(request, config, journal, log),
    confirmed,
  });

  /** A registration that only the journal remembers gives way to another one as long as nothing runs under it. */
  const select = async (request: RegisterRequest): Promise<Session> => {
    const replaceable = current && !current.confirmed && journal.contents.entries.length === 0;
    if (current && current.id !== request.client_id && !replaceable)
      throw new Refusal(400, `registered as ${current.id} already`);
    if (current && current.id !== request.client_id) {
      const former = current.session;
      current = undefined;
      await former.then((session) => session[Symbol.asyncDispose]());
      await tearDownNode(journal, log);
    }
    current ??= begin(request, true);
    current.confirmed = true;
    return current.session;
  };

  const register = async (request: RegisterRequest): Promise<void> => {
    const session = await select(request);
    const patience = new AbortController();
    try {
      const network = await Promise.race([
        session.whenReady(),
        delay(patienceMs, undefined, { signal: patience.signal }),
      ]);
      if (network) return;
    } finally {
      patience.abort();
    }
    throw new Refusal(503, `no addresses from the cluster yet (${session.link.trouble ?? 'no answer'}); still asking`);
  };

  const ready = async (): Promise<{ readonly session: Session; readonly network: Network }> => {
    if (!current) throw new Refusal(400, 'not registered: POST /register first');
    const session = await current.session;
    if (!session.network)
      throw new Refusal(500, `the cluster has given no addresses yet (${session.link.trouble ?? 'no answer'})`);
    return { session, network: session.network };
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
    deploy: async (request) => {
      const wanted = wantedFrom(request);
      const { session, network } = await ready();
      const instance = await network.deploy(wanted);
      const addresses = network.addressesOf(instance);
      void session.announcer.deployed([{ instance, addresses }]);
      return addresses;
    },
    undeploy: async (request) => {
      const { network } = await ready();
      await network.undeploy(request);
    },
    stop: async () => {
      const session = await current?.session;
      const network = session?.network;
      if (network && config.net.OnStop === 'remove')
        for (const { service, instance } of network.instances)
          await network.undeploy({ serviceName: service, instanceNumber: instance });
      await session?.[Symbol.asyncDispose]();
      if (journal.contents.subnet && journal.contents.entries.length === 0) await tearDownNode(journal, log);
    },
  };
};
