import { readFile } from 'node:fs/promises';
import { startCluster } from '../../../../lab/cluster/cluster.ts';
import { createDaemon as createNetManager } from '../../net-manager/daemon.ts';
import { createDaemon, fixture } from './daemon.ts';
import { service } from './jobs.ts';

/** Both daemons, joined to a cluster, and functions that deploy an instance on port 8080 + its number. */
export const startPair = async (moreOptions: readonly string[] = []) => {
  await using stack = new AsyncDisposableStack();
  const signal = AbortSignal.timeout(300_000);
  const subnet = { address: '10.10.0.0', addressv6: 'fc00::100' };
  const cluster = stack.use(await startCluster({ listen: '127.0.0.1', advertise: '127.0.0.1', subnet, signal }));
  const network = stack.use(await createNetManager({ ClusterMqttPort: String(cluster.brokerPort) }));
  stack.defer(async () => void (await network.end('SIGTERM')));
  const options = ['--net-manager', network.socket, ...moreOptions];
  const engine = stack.use(await createDaemon(cluster.registrationPort, {}, options));
  engine.start();
  await cluster.networkReady(signal);
  const image = cluster.publishArtifact('hello.wasm', await readFile(fixture('hello-wasi-http')));
  const deploy = (instance: number) =>
    cluster.deploy({ service, instance, image, port: `${8080 + instance}:80`, memory: 100 });
  const created = async (instance: number) => {
    const deployment = deploy(instance);
    await deployment.status('CREATED', signal);
    return deployment;
  };
  const parts = { cluster, network, engine, deploy, created, signal };
  const all = stack.move();
  return { ...parts, [Symbol.asyncDispose]: () => all.disposeAsync() };
};
