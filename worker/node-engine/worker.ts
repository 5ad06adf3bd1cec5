import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterAddress } from '../contract/host.ts';
import type { JobStatusMessage } from '../contract/job.ts';
import type { Dialect } from '../contract/registration.ts';
import { explain } from '../system/explain.ts';
import { abortable, deadline, retry } from '../system/wait.ts';
import { connectBroker } from './cluster/broker.ts';
import { statusMessage } from './cluster/messages.ts';
import { nodeFacts } from './cluster/node-facts.ts';
import { Outbox } from './cluster/outbox.ts';
import { type Registration, registrar } from './cluster/registration.ts';
import { type Pace, Session } from './cluster/session.ts';
import { Engine } from './instances/engine.ts';
import { followWith } from './instances/network/membership.ts';
import type { Node } from './instances/node.ts';
import type { Settings } from './settings.ts';

const registering = { first: 500, growth: 1.5, most: 15_000 };
const reconnecting = { first: 250, growth: 2, most: 15_000 };

const pruningMs = 60_000;

/** How long NetManager is waited for before the cluster can deploy, in ms. */
const networkMs = 10_000;

/** How long the end of deployments is waited for, in ms. */
const endingMs = 2000;

/** A session that lasted this long was a good one: the next connection is tried without delay. */
const goodSessionMs = 30_000;

/** Looks after the output of instances that are gone until `signal` aborts, once at a time. */
const pruneLogs = async (engine: Engine, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await engine.pruneLogs();
    await sleep(pruningMs, undefined, { signal }).catch(() => undefined);
  }
};

/**
 * Joins a cluster and serves it until `signal` aborts: instances of an engine that ran before are taken over first,
 * then the worker registers, tells NetManager, and reports and obeys over MQTT, connecting again whenever that is lost.
 * Running instances stay when this returns.
 */
export const work = async (
  cluster: ClusterAddress,
  settings: Settings,
  dialect: Dialect | undefined,
  node: Node,
  pace: Pace,
  signal: AbortSignal,
): Promise<void> => {
  const { log, network } = node;
  const { runtimes } = settings;
  const facts = nodeFacts();
  const outbox = new Outbox<JobStatusMessage>();
  let registration: Registration | undefined;
  let session: Session | undefined;
  const engine = new Engine(node, runtimes, (job, instance, status, detail) => {
    const sent = outbox.put(statusMessage(job, instance, status, detail, registration?.ip ?? ''));
    if (status === 'CREATED') void sent.then(() => session?.report());
    return sent;
  });
  const follow = network && followWith(network, node.membership, cluster, log, signal);
  const askCluster = registrar(cluster, runtimes, dialect, log.warn);
  const register = async () => askCluster(await facts(), signal);

  const joinFirst = async (): Promise<Registration> => {
    const joined = await retry(register, registering, signal, (error, attempts) => {
      if (attempts % 10 === 1) log.warn(`${explain(error)}; trying again`);
    });
    log.info(`registered with ${cluster.host} as ${joined.id} in the dialect ${joined.dialect}`);
    return joined;
  };
  const joinAgain = async (known: Registration): Promise<Registration> => {
    try {
      return await register();
    } catch (error) {
      log.warn(`${explain(error)}; going on as ${known.id}`);
      return known;
    }
  };
  /** A NetManager that stays away must not keep the worker from saying so: deployments fail with the reason then. */
  const networkStands = async (): Promise<void> => {
    using limit = deadline(signal, networkMs, 'registering with NetManager');
    if (network) await abortable(network.registered, limit).catch((error: unknown) => log.warn(explain(error)));
  };
  const oneSession = async (): Promise<string> => {
    const before = registration;
    const joined = before === undefined ? await joinFirst() : await joinAgain(before);
    registration = joined;
    follow?.(joined.id, joined.brokerPort);
    if (before?.id !== joined.id) await networkStands();
    const tls = settings.certificate && { client: settings.certificate };
    const address = { host: cluster.host, port: joined.brokerPort, tls };
    const client = await connectBroker(address, `${joined.id}-ne`, log, signal);
    log.info(`connected to the broker at ${address.host}:${address.port}`);
    session = new Session(client, joined, { engine, outbox, facts, runtimes, register, log, pace });
    return await session.run(signal);
  };

  await engine.adopt(signal);
  const pruning = pruneLogs(engine, signal);
  let pause = reconnecting.first;
  while (!signal.aborted) {
    const began = performance.now();
    const ended = await oneSession().catch(explain);
    session = undefined;
    if (signal.aborted) break;
    log.warn(`${ended}; connecting again`);
    pause = performance.now() - began > goodSessionMs ? reconnecting.first : pause * reconnecting.growth;
    await sleep(Math.min(pause, reconnecting.most), undefined, { signal }).catch(() => undefined);
  }
  // What is still being deployed stands in the journal as such.
  await Promise.race([Promise.all([pruning, engine.close()]), sleep(endingMs, undefined, { ref: false })]);
};
