import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineConfig } from '../../../../worker/contract/config.ts';
import type { Dialect } from '../../../../worker/contract/registration.ts';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { Journal } from '../../../../worker/node-engine/instances/journal.ts';
import { openMembership } from '../../../../worker/node-engine/instances/network/membership.ts';
import { NativeCode } from '../../../../worker/node-engine/native/native-code.ts';
import { defaultServing } from '../../../../worker/node-engine/runtime/serving.ts';
import { wasmtimeRuntime } from '../../../../worker/node-engine/runtime/wasmtime/runtime.ts';
import { settingsOf } from '../../../../worker/node-engine/settings.ts';
import { work } from '../../../../worker/node-engine/worker.ts';
import type { Cluster } from '../../../support/cluster/engine.ts';
import { removeFolder } from '../../../support/files/remove.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

type Options = { readonly dialect?: Dialect; readonly silence?: number; readonly conf?: Partial<EngineConfig> };

/** A worker in this process, without a network, which is enough for all that it says about itself. */
export const startWorker = async (cluster: Cluster, { dialect, silence = 600_000, conf = {} }: Options = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'node-engine-test-'));
  const stopping = new AbortController();
  const base = { cluster_address: '127.0.0.1', cluster_port: cluster.port, overlay_network: '' };
  const settings = settingsOf({ ...base, ...conf }, undefined);
  const address = { host: '127.0.0.1', port: cluster.port, secure: settings.cluster?.secure ?? false };
  const runtime = wasmtimeRuntime({ path: 'wasmtime', version: '48.0.2', user: undefined, separate: false });
  const node = {
    network: undefined,
    membership: openMembership(join(folder, 'network-id')),
    artifacts: new ArtifactCache(folder),
    runtime,
    groups: undefined,
    filter: undefined,
    journal: new Journal(join(folder, 'instances'), join(folder, 'spare'), silent),
    log: silent,
    logs: { folder, shown: folder },
    native: new NativeCode({ folder, scratch: folder, runtime, compiles: false, log: silent }),
    serving: defaultServing,
  };
  const pace = { report: 50, silence, betweenRegistrations: 100 };
  const working = work(address, settings, dialect, node, pace, stopping.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort('the test is over');
      await working;
      await removeFolder(folder);
    },
  };
};
