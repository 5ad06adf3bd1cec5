import type { Test } from 'tap';
import { startCluster } from '../../../lab/cluster/cluster.ts';
import { buildDebianImage } from '../../../lab/image/debian/build.ts';
import { execOk } from '../../../lab/machine/machine.ts';
import { virt } from '../../../lab/machine/qemu/definitions.ts';
import { startEmulated } from '../../../lab/machine/qemu/qemu.ts';
import { userNetwork } from '../../../lab/machine/user-network.ts';
import { networkStands, putCompiled, workerFiles } from '../../../lab/scenario/services/worker.ts';
import { openRun } from '../../../lab/system/runs.ts';
import { helloApp } from '../../../lab/wasm/app.ts';
import { privateCache } from '../../support/files/private.ts';

const address = '10.10.0.0';

export const nightly = process.env['LAB_NIGHTLY'] ? false : 'set LAB_NIGHTLY=1 to boot a worker by its init';

/**
 * A board whose image names a cluster on this computer, so that its init starts the worker, and a deployed instance
 * that answers on port 8080.
 */
export const bootWorker = async (
  t: Test,
  init: 'busybox' | 'systemd',
  logs: readonly string[],
  signal: AbortSignal,
) => {
  await using stack = new AsyncDisposableStack();
  stack.use(await privateCache());
  const { lab } = userNetwork;
  const subnet = { address, addressv6: 'fc00::100' };
  const cluster = stack.use(await startCluster({ listen: '127.0.0.1', advertise: lab, subnet, signal }));
  const files = workerFiles(cluster, { topology: 'bridged', subnet: address });
  const image = await buildDebianImage({ board: 'virt', init, files, signal });
  const run = stack.use(await openRun(init));
  const machine = stack.use(await startEmulated({ definition: virt, image, run, signal }));
  stack.defer(async () => {
    if (!t.passing()) t.comment((await machine.exec(logs)).stdout.slice(-8000));
  });
  /** Resolves when a cluster's orders would reach the engine, and find a network. */
  const ready = async () => {
    await cluster.networkReady(signal);
    await networkStands(machine, cluster, signal);
  };
  const app = await helloApp();
  await putCompiled(machine, app, image.wasmtimeVersion, signal);
  await ready();
  const url = cluster.publishArtifact(app.name, app.bytes);
  const job = { service: 'started.by.init.here', instance: 0, image: url, port: '8080:80', memory: 100 };
  const deployment = cluster.deploy(job);
  await deployment.status('CREATED', signal);
  const { host, port } = await machine.forward(8080, signal);
  const all = stack.move();
  return {
    machine,
    cluster,
    deployment,
    ready,
    serving: async (test: Test, when: string) =>
      test.equal(await (await fetch(`http://${host}:${port}/`, { signal })).text(), app.body, when),
    /** The instance's process, empty when there is none. */
    instance: async () => (await machine.exec(['pgrep', '-x', 'wasmtime'], { signal })).stdout.trim(),
    /** What a program on the board prints; it has to succeed. */
    told: async (...argv: readonly string[]) => (await execOk(machine, argv, { signal })).trim(),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
};
