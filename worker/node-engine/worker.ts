import { setTimeout as sleep } from 'node:timers/promises';
import type { JobStatusMessage } from '../contract/job.ts';
import type { Dialect } from '../contract/registration.ts';
import { connectBroker } from './cluster/broker.ts';
import { statusMessage } from './cluster/messages.ts';
import { nodeFacts } from './cluster/node-facts.ts';
import { Outbox } from './cluster/outbox.ts';
import { type ClusterAddress, type Registration, registrar } from './cluster/registration.ts';
import { type Pace, Session } from './cluster/session.ts';
import { explain } from './explain.ts';
import { Engine } from './instances/engine.ts';
import type { Node } from './instances/node.ts';
import type { Settings } from './settings.ts';
import { retry } from './wait.ts';

const registering = { first: 500, growth: 1.5, most: 15_000 };
const reconnecting = { first: 250, growth: 2, most: 15_000 };

const pruningMs = 60_000;

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
  });
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
  const oneSession = async (): Promise<string> => {
    const before = registration;
    const joined = before === undefined ? await joinFirst() : await joinAgain(before);
    registration = joined;
    if (before?.id !== joined.id) {
      network?.register(joined.id, cluster.host, signal).catch(() => undefined);
      // A NetManager that stays away must not keep the worker from saying so: deployments fail with the reason then.
      await network?.agreed().catch((error) => log.warn(explain(error)));
    }
    const address = { host: cluster.host, port: joined.brokerPort, certificate: settings.certificate };
    const client = await connectBroker(address, `${joined.id}-ne`);
    log.info(`connected to the broker at ${address.host}:${address.port}`);
    session = new Session(client, joined, { engine, outbox, facts, runtimes, register, log, pace });
    return session.run(signal);
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
  await Promise.all([pruning, engine.close()]);
};
