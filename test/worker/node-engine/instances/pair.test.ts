import { readFile } from 'node:fs/promises';
import t from 'tap';
import { startCluster } from '../../../../lab/cluster/cluster.ts';
import { createDaemon as createNetManager } from '../../net-manager/daemon.ts';
import { footprint } from '../../net-manager/kernel.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { createDaemon, fetchText, fixture, noWasmtime } from '../support/daemon.ts';
import { hello, processes, service } from '../support/jobs.ts';

inSandbox(import.meta.url, () => {
  t.test('both daemons together serve several instances and leave nothing behind', { skip: noWasmtime }, async (t) => {
    const signal = AbortSignal.timeout(300_000);
    const subnet = { address: '10.10.0.0', addressv6: 'fc00::100' };
    await using cluster = await startCluster({ listen: '127.0.0.1', advertise: '127.0.0.1', subnet, signal });
    await using network = await createNetManager({ ClusterMqttPort: String(cluster.brokerPort) });
    await using engine = await createDaemon(cluster.registrationPort, {}, ['--net-manager', network.socket]);
    engine.start();
    await cluster.networkReady(signal);
    const before = await footprint();
    const image = cluster.publishArtifact('hello.wasm', await readFile(fixture('hello-wasi-http')));
    const began = performance.now();
    const deployments = [0, 1, 2].map((instance) =>
      cluster.deploy({ service, instance, image, port: `${8080 + instance}:80`, memory: 100 }),
    );
    for (const [instance, deployment] of deployments.entries()) {
      await deployment.status('CREATED', signal);
      const { v4, v6 } = await deployment.address(signal);
      for (const place of [v4, `[${v6}]`, `127.0.0.1:${8080 + instance}`])
        t.equal(await fetchText(`http://${place}/`), hello, place);
    }
    t.comment(`three instances answered after ${Math.round(performance.now() - began)} ms`);
    await Promise.all(deployments.map((deployment) => deployment.undeploy(signal)));
    t.same(await footprint(), before);
    t.same(await processes(engine.folder), []);
    t.same(cluster.violations, []);
  });
});
