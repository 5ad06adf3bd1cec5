import { startNetCluster } from '../../../support/cluster/net.ts';
import { createDaemon } from '../daemon.ts';

export const service = 'app.appns.svc.svcns';
export const backWithinMs = 120_000;

/** A registered net manager, and how an instance is put onto it and taken off. */
export const board = async (netcfg: Record<string, unknown>, environment: NodeJS.ProcessEnv = {}) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startNetCluster());
  const daemon = stack.use(await createDaemon({ ClusterMqttPort: String(cluster.port), ...netcfg }, environment));
  const registered = await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
  if (registered.status !== 200) throw new Error(registered.text);
  const deploy = (instanceNumber: number, portMappings = '') =>
    daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings });
  const undeploy = (instanceNumber: number) => daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber });
  const moved = stack.move();
  return { daemon, deploy, undeploy, [Symbol.asyncDispose]: () => moved.disposeAsync() };
};
