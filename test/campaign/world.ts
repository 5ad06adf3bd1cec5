import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDaemon as createNetManager } from '../worker/net-manager/daemon.ts';
import { createDaemon, fixture } from '../worker/node-engine/support/daemon.ts';
import { writeProgram } from '../worker/node-engine/support/programs.ts';
import { mountState, type Victims } from './accidents.ts';
import { startCluster } from './cluster.ts';
import { Part } from './part.ts';
import type { Kind } from './schedule.ts';

/** How often it is looked whether a daemon has to be started again, in ms. */
const initMs = 200;

const isService = (kind: Kind): boolean => kind === 'replica' || kind === 'service';

/** Both daemons under an init, each with its state on a small file system of its own, and a cluster. */
export const openWorld = async (topology: 'bridged' | 'veth', signal: AbortSignal) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster(signal));
  const manager = stack.use(
    await createNetManager({ ClusterMqttPort: String(cluster.brokerPort), WasmTopology: topology }),
  );
  const daemon = stack.use(await createDaemon(cluster.registrationPort, {}, ['--net-manager', manager.socket]));
  const [engineState, networkState] = [daemon.at('state'), join(manager.folder, 'state')];
  await manager.end('SIGTERM');
  for (const state of [engineState, networkState]) {
    await mkdir(state, { recursive: true, mode: 0o700 });
    stack.use(await mountState(state));
  }
  let pid = 0;
  const start = async () => {
    pid = daemon.start().pid ?? 0;
  };
  const engine = { part: new Part('NodeEngine', { start, pid: () => pid, log: daemon.log }), state: engineState };
  const network = { part: new Part('NetManager', manager), state: networkState };
  const parts = [engine.part, network.part];
  await manager.start();
  await start();
  const looks = setInterval(() => {
    for (const part of parts) void part.look();
  }, initMs);
  stack.defer(() => clearInterval(looks));

  const hello = cluster.publishArtifact('hello.wasm', await readFile(fixture('hello-wasi-http')));
  const program = async (name: 'echoes' | 'succeeds' | 'naps' | 'fails' | 'library') =>
    cluster.publishArtifact(`${name}.wasm`, await readFile(await writeProgram(daemon.folder, name)));
  const images = {
    lasts: await program('echoes'),
    succeeds: await program('succeeds'),
    naps: await program('naps'),
    fails: await program('fails'),
    library: await program('library'),
    missing: `http://127.0.0.1:${cluster.registrationPort}/artifacts/none/none.wasm`,
  };
  const victims: Victims = { engine, network, cluster, mark: daemon.folder };
  await cluster.ready();
  const all = stack.move();
  return {
    cluster,
    victims,
    parts,
    imageOf: (kind: Kind): string => (isService(kind) ? hello : images[kind as keyof typeof images]),
    [Symbol.asyncDispose]: async () => {
      clearInterval(looks);
      for (const part of parts) part.down('SIGKILL');
      await all.disposeAsync();
    },
  };
};

export type World = Awaited<ReturnType<typeof openWorld>>;
