import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { processes } from '../worker/node-engine/support/jobs.ts';
import type { CampaignCluster } from './cluster.ts';
import type { Part } from './part.ts';
import type { Random } from './random.ts';
import type { AccidentKind } from './schedule.ts';

const run = promisify(execFile);

/** A daemon and the folder of its state, which is a file system of its own. */
export type Side = { readonly part: Part; readonly state: string };

export type Victims = {
  readonly engine: Side;
  readonly network: Side;
  readonly cluster: CampaignCluster;
  /** The folder whose path marks the instances' processes. */
  readonly mark: string;
};

/** Ends an accident. */
type Heal = () => void | Promise<void>;

/** Makes the file system of a daemon's state; small, so that it is full quickly. It is gone with the result. */
export const mountState = async (state: string): Promise<AsyncDisposable> => {
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'state', state]);
  return { [Symbol.asyncDispose]: async () => void (await run('umount', ['-l', state])) };
};

/** Mounts a state's file system anew as `mode`; one that has a file open for writing stays writable. */
const remount = (state: string, mode: 'ro' | 'rw') =>
  run('mount', ['-o', `remount,${mode}`, state]).then(
    () => undefined,
    () => undefined,
  );

const fill = async ({ part, state }: Side): Promise<Heal> => {
  const excuse = part.excuse();
  const filler = join(state, 'filler');
  await run('sh', ['-c', 'dd if=/dev/zero of="$1" bs=4k 2>/dev/null || true', 'sh', filler]);
  return async () => {
    // it may have become read-only meanwhile
    await remount(state, 'rw');
    await rm(filler, { force: true });
    excuse();
  };
};

const freeze = async ({ part, state }: Side): Promise<Heal> => {
  const excuse = part.excuse();
  await remount(state, 'ro');
  return async () => {
    await remount(state, 'rw');
    excuse();
  };
};

const stop = ({ part }: Side): Heal => {
  const { pid } = part;
  part.signal('SIGSTOP');
  return () => {
    if (part.pid === pid) part.signal('SIGCONT');
  };
};

/** Leaves a daemon a few descriptors more than it has. */
const starve = async ({ part }: Side): Promise<Heal> => {
  const { pid } = part;
  const limit = (soft: string) =>
    run('prlimit', [`--pid=${pid}`, `--nofile=${soft}:`]).then(
      () => undefined,
      () => undefined,
    );
  const excuse = part.excuse();
  const open = await part.descriptors().catch(() => 0);
  const { stdout } = await run('prlimit', [`--pid=${pid}`, '--nofile', '--output=SOFT', '--noheadings']).catch(() => ({
    stdout: '1024',
  }));
  await limit(String(open + 2));
  return async () => {
    await limit(stdout.trim());
    excuse();
  };
};

const killInstance = async ({ mark }: Victims, random: Random): Promise<Heal> => {
  const pids = await processes(mark);
  const pid = pids[random.between(0, Math.max(0, pids.length - 1))];
  try {
    if (pid !== undefined) process.kill(Number(pid), 'SIGKILL');
  } catch {
    // it has just ended
  }
  return () => undefined;
};

/** Begins an accident; the result ends it. */
export const begin = async (kind: AccidentKind, victims: Victims, random: Random): Promise<Heal> => {
  const { engine, network, cluster } = victims;
  switch (kind) {
    case 'NodeEngine: SIGKILL':
      return engine.part.down('SIGKILL');
    case 'NetManager: SIGKILL':
      return network.part.down('SIGKILL');
    case 'both daemons: SIGKILL': {
      const both = [engine.part.down('SIGKILL'), network.part.down('SIGKILL')];
      return () => {
        for (const up of both) up();
      };
    }
    case 'NodeEngine: SIGTERM':
      return engine.part.down('SIGTERM');
    case 'NetManager: SIGTERM':
      return network.part.down('SIGTERM');
    case 'NodeEngine: SIGSTOP':
      return stop(engine);
    case 'NetManager: SIGSTOP':
      return stop(network);
    case 'an instance: SIGKILL':
      return await killInstance(victims, random);
    case 'broker: away':
      await cluster.stopBroker();
      return () => cluster.startBroker();
    case 'broker: mute':
      cluster.mute(true);
      return () => cluster.mute(false);
    case 'NodeEngine: disk full':
      return await fill(engine);
    case 'NetManager: disk full':
      return await fill(network);
    case 'NodeEngine: disk read-only':
      return await freeze(engine);
    case 'NetManager: disk read-only':
      return await freeze(network);
    case 'NodeEngine: no descriptors':
      return await starve(engine);
    case 'NetManager: no descriptors':
      return await starve(network);
  }
};
