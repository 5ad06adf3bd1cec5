import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterAddress } from '../../../contract/host.ts';
import { replaceFile } from '../../../system/atomic-file.ts';
import { explain } from '../../../system/explain.ts';
import type { Log } from '../../../system/log.ts';
import type { NetClient } from './net-client.ts';

/** The id under which NetManager knows this worker, in a file, so that a later engine can say who it was. */
export type Membership = {
  readonly read: () => Promise<string | undefined>;
  readonly write: (id: string) => Promise<void>;
};

/** Keeps the id in `file`. A file that cannot be read counts as none. */
export const openMembership = (file: string): Membership => ({
  read: async () => {
    const text = await readFile(file, 'utf8').catch(() => '');
    return text.trim() || undefined;
  },
  write: (id) => replaceFile(file, `${id}\n`, { mode: 0o600 }),
});

/** How often NetManager is told again who the worker is: one that was restarted may have forgotten it. */
const againMs = 20_000;

/** Where the cluster is, and the port of the broker that it has named. */
type Cluster = ClusterAddress & { readonly brokerPort: number };

/** Keeps NetManager registered as worker `id` until `signal` aborts. Never rejects. */
const stayRegistered = async (
  network: NetClient,
  membership: Membership,
  id: string,
  cluster: Cluster,
  log: Log,
  signal: AbortSignal,
  pauseMs: number,
): Promise<void> => {
  let former = await membership.read();
  let written = former;
  let trouble = '';
  while (!signal.aborted) {
    try {
      await network.register(id, cluster, former, signal);
      former = id;
      if (written !== id) await membership.write(id);
      written = id;
      trouble = '';
    } catch (error) {
      if (signal.aborted) return;
      const text = explain(error);
      if (text !== trouble) log.warn(text);
      trouble = text;
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
};

/** A function that makes NetManager the same worker as this engine: registered under the id that it was last given. */
export const followWith = (
  network: NetClient,
  membership: Membership,
  cluster: ClusterAddress,
  log: Log,
  signal: AbortSignal,
  pauseMs = againMs,
): ((id: string, brokerPort: number) => void) => {
  let current: { readonly id: string; readonly brokerPort: number; readonly over: AbortController } | undefined;
  return (id, brokerPort) => {
    if (current?.id === id && current.brokerPort === brokerPort) return;
    current?.over.abort(new Error(`the cluster knows this worker as ${id} now, with its broker at port ${brokerPort}`));
    const over = new AbortController();
    current = { id, brokerPort, over };
    const ends = AbortSignal.any([signal, over.signal]);
    void stayRegistered(network, membership, id, { ...cluster, brokerPort }, log, ends, pauseMs);
  };
};
