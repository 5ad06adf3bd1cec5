import { join, resolve } from 'node:path';
import { explain } from '../system/explain.ts';
import { lockState } from '../system/locks/state-lock.ts';
import { consoleLog } from '../system/log.ts';
import { spareFolder } from '../system/spare-folder.ts';
import { stopSignal } from '../system/stopping.ts';
import { ArtifactCache } from './artifacts/artifacts.ts';
import { defaultPace } from './cluster/session.ts';
import { Journal } from './instances/journal.ts';
import { openMembership } from './instances/network/membership.ts';
import { NetClient } from './instances/network/net-client.ts';
import { NativeCode } from './native/native-code.ts';
import { parseOptions, UsageError, usage } from './options.ts';
import { installFilter } from './process/filter.ts';
import { findGroups } from './process/limits.ts';
import { openLogFolder } from './process/log-folder.ts';
import { findRuntime } from './runtime/wasmtime/runtime.ts';
import { readSettings } from './settings.ts';
import { work } from './worker.ts';

const log = consoleLog(false);

/** The longest that the engine takes to end, in ms. */
const stopMs = 2500;

const run = async (argv: readonly string[]): Promise<number> => {
  const options = parseOptions(argv);
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const settings = await readSettings(options.config, options.netManager, log.warn);
  const { cluster } = settings;
  if (cluster === undefined) {
    log.info(`${options.config} names no cluster: set cluster_address; nothing to do`);
    return 0;
  }
  if (settings.runtimes.length === 0) {
    log.info(`${options.config} switches the runtime wasm off: set its virutalizaiton_active to true; nothing to do`);
    return 0;
  }
  process.umask(0o022); // instances run as another user, who has to read components
  const state = resolve(options.state);
  await using _lock = await lockState(state, 'NodeEngine');
  const stopping = stopSignal(log, stopMs);
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
  return 0;
};

const fail = (error: unknown): number => {
  log.error(explain(error));
  return error instanceof UsageError ? 64 : 1;
};

void run(process.argv.slice(2))
  .catch(fail)
  .then((code) => process.exit(code));
