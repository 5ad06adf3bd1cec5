import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dialect } from '../../../worker/contract/registration.ts';
import { type Board, openBoard } from './board.ts';
import { type ClusterOptions, ConformanceCluster } from './cluster.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { type NetManager, openNetManager } from './net-manager.ts';
import { subject } from './subject.ts';

export const service = 'app.appns.svc.svcns';
export const task = (instance: number): string => `${service}.instance.${instance}`;

/** What a worker can be set to. */
export type Variant = { readonly topology: 'bridged' | 'veth'; readonly dialect: Dialect };

/** A board, a cluster, and the worker that joins them. */
export type World = AsyncDisposable & {
  readonly variant: Variant;
  readonly board: Board;
  readonly cluster: ConformanceCluster;
  /** What every daemon wrote. */
  readonly log: () => string;
  /** Starts the net manager and waits until it answers. */
  readonly startNetManager: (netcfg?: Record<string, unknown>, tuncfg?: Record<string, unknown>) => Promise<NetManager>;
  /** Starts the net manager and registers a node of the cluster's with it. */
  readonly netManager: (netcfg?: Record<string, unknown>) => Promise<NetManager>;
  /** Starts the node engine with what is added to conf.json. */
  readonly startNodeEngine: (conf?: Record<string, unknown>) => Promise<Daemon>;
  /** Starts both and waits until the cluster could deploy. */
  readonly worker: (
    conf?: Record<string, unknown>,
  ) => Promise<{ readonly manager: NetManager; readonly engine: Daemon }>;
};

/** `conf.json` as it is shipped. */
const shippedConf = {
  conf_version: '1.0',
  cluster_ssl: false,
  overlay_network: 'default',
  public_ip: false,
  overlay_network_port: 0,
  mqtt_cert_file: '',
  mqtt_key_file: '',
  addons: [],
  virtualizations: [
    {
      virutalizaiton_name: 'wasm',
      virutalizaiton_runtime: 'wasm',
      virutalizaiton_active: true,
      virutalizaiton_config: [],
    },
  ],
  csi_drivers: [],
};

export const openWorld = async (
  folder: string,
  variant: Variant,
  options: Partial<ClusterOptions> = {},
): Promise<World> => {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(new ConformanceCluster({ dialect: variant.dialect, ...options }));
  await cluster.start();
  const board = undo.use(await openBoard(folder));
  const programs = join(folder, 'programs');
  await mkdir(programs, { recursive: true });
  const wasmtime = process.env['LAB_TEST_WASMTIME'];
  if (wasmtime !== undefined) await symlink(wasmtime, join(programs, 'wasmtime')).catch(() => undefined);
  const daemons: Daemon[] = [];
  const start = async (command: readonly string[]): Promise<Daemon> => {
    const words = command.map((word) => word.replaceAll('{dialect}', variant.dialect));
    const daemon = await startDaemon(board, words, programs);
    daemons.push(daemon);
    return daemon;
  };

  const startNetManager: World['startNetManager'] = async (netcfg = {}, tuncfg = {}) => {
    // In a user namespace no kernel carries an overlay; this worker's own key.
    const options = { Overlay: 'off', WasmTopology: variant.topology, ...netcfg };
    const started = (daemon: Daemon) => void daemons.push(daemon);
    return await openNetManager({ board, programs, brokerPort: cluster.brokerPort, started }, options, tuncfg);
  };

  const startNodeEngine: World['startNodeEngine'] = async (conf = {}) => {
    const where = { cluster_address: cluster.address, cluster_port: cluster.registrationPort, app_logs: board.logs };
    const contents = JSON.stringify({ ...shippedConf, ...where, ...conf });
    await writeFile(board.outside('/etc/oakestra/conf.json'), contents);
    return start(subject.nodeEngine);
  };

  const world: Omit<World, keyof AsyncDisposable> = {
    variant,
    board,
    cluster,
    log: () => daemons.map((daemon) => daemon.log()).join('\n'),
    startNetManager,
    startNodeEngine,
    netManager: async (netcfg) => {
      const manager = await startNetManager(netcfg);
      const reply = await manager.post('/register', { client_id: cluster.enroll(), cluster_address: cluster.address });
      if (reply.status !== 200) throw new Error(`/register was answered ${reply.status}: ${reply.text}`);
      return manager;
    },
    worker: async (conf) => {
      const manager = await startNetManager();
      const engine = await startNodeEngine(conf);
      await cluster.until('the node’s information', () => cluster.heard('information')[0]);
      await cluster.until('a request for the subnet', () => cluster.heard('net/subnet')[0]);
      return { manager, engine };
    },
  };
  const opened = undo.move();
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() };
};
