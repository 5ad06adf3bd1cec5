import { startCluster } from '../../../support/cluster/engine.ts';
import { createDaemon } from './daemon.ts';
import { job, service } from './jobs.ts';
import { startNetManager } from './net-manager.ts';
import { type Program, writeProgram } from './programs.ts';

/** A NodeEngine of its own with a cluster and a NetManager beside it, subscribed. */
export const startEngine = async (conf: Record<string, unknown> = {}, options: string[] = []) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const daemon = stack.use(await createDaemon(cluster.port, conf, options));
  stack.use(await startNetManager(daemon.socket));
  daemon.start();
  await cluster.subscribed();
  const run = async (instance: number, program: Program, more: Record<string, unknown> = {}) => {
    const image = `file://${await writeProgram(daemon.folder, program)}`;
    await cluster.send('deploy', job(image, { instance_number: instance, port: '', ...more }));
  };
  const remove = async (instance: number) => {
    await cluster.send('delete', { job_name: service, instance_number: instance });
    await cluster.status('UNDEPLOYED', instance);
  };
  const parts = { cluster, daemon, run, remove };
  const all = stack.move();
  return { ...parts, [Symbol.asyncDispose]: () => all.disposeAsync() };
};
