import fs from 'node:fs/promises';
import shippedEngine from '../../../buildroot/overlay/etc/oakestra/conf.json' with { type: 'json' };
import shippedNet from '../../../buildroot/overlay/etc/oakestra/netmanager/netcfg.json' with { type: 'json' };
import type { EngineConfig, NetConfig } from '../../../worker/contract/config.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { execOk, type Machine } from '../../machine/machine.ts';
import { hostMachine } from '../../system/elf.ts';
import { LabError, messageOf } from '../../system/errors.ts';
import { until } from '../../system/wait.ts';
import type { App } from '../../wasm/app.ts';
import { compileAhead, precompiledPath } from '../../wasm/compile.ts';
import { provideWasmtime } from '../../wasm/wasmtime.ts';
import type { RunBoard } from '../board/run-board.ts';
import type { NetworkSpec } from '../scenario.ts';

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

const daemons = [
  { name: 'NetManager', script: '/etc/init.d/S98netmanager' },
  { name: 'NodeEngine', script: '/etc/init.d/S99nodeengine' },
] as const;

/** Where a worker finds its cluster. */
export type ClusterPlace = Pick<Cluster, 'address' | 'registrationPort' | 'brokerPort'>;

/**
 * The files that make a worker work for this cluster with this network: as shipped but for what these two need, and for
 * the address by which other boards reach it.
 */
export const workerFiles = (
  cluster: ClusterPlace,
  network: NetworkSpec,
  address?: string,
): Readonly<Record<string, string>> => {
  const engine: EngineConfig = {
    ...shippedEngine,
    cluster_address: cluster.address,
    cluster_port: cluster.registrationPort,
    // The components are the lab's own, wherever it is, even on the board itself.
    allowed_local_hosts: [cluster.address],
  };
  const { egress = 'on' } = network;
  const net: NetConfig = {
    ...shippedNet,
    ...(address === undefined ? {} : { NodePublicAddress: address }),
    ClusterMqttPort: String(cluster.brokerPort),
    WasmTopology: network.topology,
    Egress: typeof egress === 'string' ? egress : [...egress],
  };
  return { '/etc/oakestra/conf.json': json(engine), '/etc/oakestra/netmanager/netcfg.json': json(net) };
};

const netSocket = '/etc/netmanager/netmanager.sock';

/**
 * Resolves when the net manager's network stands: by the contract it says so by its answer to a registration that it
 * has already. The engine may be there earlier, since it serves its cluster while the net manager is away.
 */
export const networkStands = async (
  machine: Machine,
  cluster: Cluster,
  signal: AbortSignal,
  host?: string,
): Promise<void> => {
  const { id } = await cluster.registered(signal, host);
  const registration = JSON.stringify({
    client_id: id,
    cluster_address: cluster.address,
    cluster_port: cluster.registrationPort,
  });
  const request = ['--unix-socket', netSocket, '--data', registration, 'http://local/register'];
  const ask = ['curl', '--silent', '--fail', ...request];
  await until(async () => (await machine.exec(ask, { signal })).code === 0 || undefined, signal);
};

/** A board with a worker. */
type WorkerBoard = Pick<RunBoard, 'machine' | 'name' | 'address'>;

/** Writes the worker's configuration and starts both daemons. */
export const launchWorker = async (
  { machine, address }: Pick<WorkerBoard, 'machine' | 'address'>,
  cluster: ClusterPlace,
  network: NetworkSpec,
  signal: AbortSignal,
): Promise<void> => {
  for (const [file, text] of Object.entries(workerFiles(cluster, network, address)))
    await machine.writeFile(file, text);
  for (const { script } of daemons) await execOk(machine, [script, 'start'], { signal });
};

/** Starts the worker as {@link launchWorker} does, and waits until a deployment would find all it needs. */
export const startWorker = async (
  board: WorkerBoard,
  cluster: Cluster,
  network: NetworkSpec,
  signal: AbortSignal,
): Promise<void> => {
  const { machine, name } = board;
  await launchWorker(board, cluster, network, signal);
  await cluster.networkReady(signal, name);
  await networkStands(machine, cluster, signal, name);
};

/** Gives the worker another network, starts NetManager again and waits until that network stands. */
export const reconfigure = async (
  board: WorkerBoard,
  cluster: Cluster,
  network: NetworkSpec,
  signal: AbortSignal,
): Promise<void> => {
  const { machine, address, name } = board;
  const [{ script }] = daemons;
  for (const [file, text] of Object.entries(workerFiles(cluster, network, address)))
    if (file.endsWith('/netcfg.json')) await machine.writeFile(file, text);
  await execOk(machine, [script, 'restart'], { signal });
  await networkStands(machine, cluster, signal, name);
};

/** What the daemons and the instances wrote, by name. */
export const workerLogs = async (
  machine: Machine,
): Promise<readonly { readonly name: string; readonly text: string }[]> => {
  const { stdout } = await machine.exec(['find', '/var/log/oakestra', '-type', 'f']);
  const files = stdout
    .split('\n')
    .filter((file) => file !== '')
    .toSorted();
  return Promise.all(
    files.map(async (file) => ({
      name: file.slice('/var/log/oakestra/'.length).replaceAll('/', '-'),
      text: (await machine.readFile(file)).toString('utf8'),
    })),
  );
};

/**
 * Compiles the app on this computer and puts the result where the worker looks for it. Returns why that could not be
 * done, in which case the board compiles by itself. Throws, as incomplete, where a machine takes none that it has not.
 */
export const putCompiled = async (
  machine: Machine,
  app: App,
  version: string,
  signal: AbortSignal,
): Promise<string | undefined> => {
  if (machine.precompiled?.has(app.sha256)) return undefined;
  if (machine.precompiled !== undefined)
    throw new LabError(`${app.name} cannot be compiled ahead of time in a deterministic run`, { fault: 'incomplete' });
  try {
    const compiler = await provideWasmtime(hostMachine(), version, signal);
    const artifact = await compileAhead(app, compiler, machine.architecture, signal);
    await machine.writeFile(precompiledPath(app, version, machine.architecture), await fs.readFile(artifact));
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return `the component was not compiled ahead of time, the board did that itself: ${messageOf(error)}`;
  }
};
