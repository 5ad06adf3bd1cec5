import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startCluster } from '../../../support/cluster/engine.ts';
import { createDaemon, fixture } from './daemon.ts';
import { job } from './jobs.ts';
import { startNetManager } from './net-manager.ts';

/** A worker whose state folder is a disk of its own, with one running instance. */
export const onSmallDisk = async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  stack.defer(async () => {
    for (const name of await readdir('/run/netns').catch(() => [])) execFileSync('ip', ['netns', 'del', name]);
  });
  const daemon = stack.use(await createDaemon(cluster.port));
  const network = stack.use(await startNetManager(daemon.socket));
  const state = daemon.at('state');
  await mkdir(state, { mode: 0o700 });
  const mount = (options: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'state', state]);
  mount('size=1m,mode=700');
  stack.defer(() => void execFileSync('umount', ['-l', state]));
  daemon.start();
  await cluster.subscribed();
  const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
  await cluster.send('deploy', job(image));
  await cluster.status('CREATED');
  const all = stack.move();
  return {
    cluster,
    daemon,
    network,
    image,
    state,
    fill: () => execFileSync('sh', ['-c', 'dd if=/dev/zero of="$1"/filler bs=4k 2>/dev/null || true', 'sh', state]),
    empty: () => rm(join(state, 'filler')),
    mount,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
};
