import { join, resolve } from 'node:path';
import { explain } from '../system/explain.ts';
import { lockState } from '../system/locks/state-lock.ts';
import type { Log } from '../system/log.ts';
import { spareFolder } from '../system/spare-folder.ts';
import { ArtifactCache } from './artifacts/artifacts.ts';
import { defaultPace } from './cluster/session.ts';
import { Journal } from './instances/journal.ts';
import { openMembership } from './instances/network/membership.ts';
import { NetClient } from './instances/network/net-client.ts';
import { NativeCode } from './native/native-code.ts';
import type { Options } from './options.ts';
import { installFilter } from './process/filter.ts';
import { findGroups } from './process/limits.ts';
import { openLogFolder } from './process/log-folder.ts';
import { findRuntime } from './runtime/wasmtime/runtime.ts';
import { readSettings } from './settings.ts';
import { work } from './worker.ts';

/**
 * Is the engine until `stopping` aborts; resolves at once where its configuration gives it nothing to do. It sets the
 * process's mask for new files.
 */
export const run = async (options: Options, stopping: AbortSignal, log: Log): Promise<void> => {
  const settings = await readSettings(options.config, options.netManager, log.warn);
  const { cluster } = settings;
  if (cluster === undefined) {
    log.info(`${options.config} names no cluster: set cluster_address; nothing to do`);
    return;
  }
  if (settings.runtimes.length === 0) {
    log.info(`${options.config} switches the runtime wasm off: set its virutalizaiton_active to true; nothing to do`);
    return;
  }
  process.umask(0o022); // instances run as another user, who has to read components
  const state = resolve(options.state);
  await using _lock = await lockState(state, 'NodeEngine');
  const artifacts = new ArtifactCache(options.cache, settings.sources);
  const [runtime, groups] = await Promise.all([
    findRuntime(options.wasmtime, log),
    findGroups(log),
    artifacts.prepare().catch((error) => log.warn(`${options.cache} is not in order: ${explain(error)}`)),
  ]);
  const native = new NativeCode({
    folder: resolve(options.precompiled),
    scratch: resolve(options.state),
    runtime,
    compiles: settings.compile,
    log,
  });
  await native.prepare().catch((error) => log.warn(`${options.precompiled} is not in order: ${explain(error)}`));
  for (const problem of settings.serving.problems) log.warn(`${options.config}: ${problem}`);
  log.info(`${runtime.name} ${runtime.version} (${runtime.path})`);
  const spare = spareFolder('node-engine', state);
  const node = {
    network: settings.network === undefined ? undefined : new NetClient(settings.network, log),
    membership: openMembership(join(resolve(options.state), 'network-id')),
    artifacts,
    runtime,
    groups,
    filter: await installFilter(state, spare, runtime, log),
    journal: new Journal(join(state, 'instances'), spare, log),
    log,
    logs: await openLogFolder(settings.logs, join(state, 'logs'), log),
    native,
    serving: settings.serving.serving,
  };
  await work(cluster, settings, options.dialect, node, defaultPace, stopping);
  log.info('stopped; running instances go on and are taken over at the next start');
};
