import t from 'tap';
import { removeFolder } from '../../../support/files/remove.ts';
import { footprint } from '../../net-manager/kernel.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { fetchText, noWasmtime } from '../support/daemon.ts';
import { hello, processes } from '../support/jobs.ts';
import { startPair } from '../support/pair.ts';
import { until } from '../support/until.ts';

const namespaces = async () => (await footprint()).namespaces;

inSandbox(import.meta.url, () => {
  const skip = noWasmtime;

  t.test('instances are removed whole although NetManager was killed', { skip }, async (t) => {
    await using both = await startPair();
    const { cluster, network, engine, created, signal } = both;
    const bare = await footprint();
    const [first, second, third] = [await created(0), await created(1), await created(2)];
    await network.end('SIGKILL');
    const away = first.undeploy(signal);
    await until(async () => (await processes(engine.folder)).length === 2, 'end of the process', signal);
    await network.start();
    await Promise.all([away, second.undeploy(signal)]);
    t.equal(await fetchText('http://127.0.0.1:8082/'), hello);
    await third.undeploy(signal);
    t.same(await footprint(), bare);
    t.notMatch(engine.log(), /could not be undone/);
    t.same(cluster.violations, []);
  });

  t.test('a deployment outlives a restart of NetManager', { skip }, async (t) => {
    await using both = await startPair();
    const { network, deploy, signal } = both;
    await network.end('SIGKILL');
    const deployment = deploy(0);
    await deployment.status('CREATING', signal);
    await network.start();
    await deployment.status('CREATED', signal);
    t.equal(await fetchText('http://127.0.0.1:8080/'), hello);
    await deployment.undeploy(signal);
    t.same(await namespaces(), []);
  });

  t.test('a deployment can be taken back while NetManager is away', { skip }, async (t) => {
    await using both = await startPair();
    const { network, engine, deploy, signal } = both;
    await network.end('SIGKILL');
    const deployment = deploy(0);
    await deployment.status('CREATING', signal);
    const undeployed = deployment.undeploy(signal);
    await network.start();
    await undeployed;
    t.same(await namespaces(), []);
    t.same(await processes(engine.folder), []);
  });

  t.test('a worker that was killed as a whole goes on where it was', { skip }, async (t) => {
    await using both = await startPair();
    const { cluster, network, engine, created, deploy, signal } = both;
    const deployment = await created(0);
    const address = await deployment.address(signal);
    const pids = await processes(engine.folder);
    await Promise.all([network.end('SIGKILL'), engine.end('SIGKILL')]);
    t.equal(await fetchText('http://127.0.0.1:8080/'), hello);
    engine.start();
    await network.start();
    await cluster.networkReady(signal);
    t.same(await processes(engine.folder), pids);
    const another = deploy(1);
    await another.status('CREATED', signal);
    t.not((await another.address(signal)).v4, address.v4);
    t.equal(await fetchText(`http://${address.v4}/`), hello);
    await Promise.all([deployment.undeploy(signal), another.undeploy(signal)]);
    t.same(await namespaces(), []);
    t.same(await processes(engine.folder), []);
    t.same(cluster.violations, []);
  });

  t.test('an instance of which nothing is written down any more is ended, and that is told', { skip }, async (t) => {
    await using both = await startPair();
    const { cluster, engine, created, deploy, signal } = both;
    const deployment = await created(0);
    await removeFolder(engine.at('state'));
    const another = deploy(1);
    await another.status('CREATED', signal);
    t.equal((await processes(engine.folder)).length, 2, 'a state folder that is removed is made again');
    await engine.end('SIGKILL');
    await removeFolder(engine.at('state'));
    engine.start();
    await Promise.all([deployment.status('DEAD', signal), another.status('DEAD', signal)]);
    await until(async () => (await processes(engine.folder)).length === 0, 'end of the processes', signal);
    await until(async () => (await namespaces()).length === 0, 'end of the namespaces', signal);
    await Promise.all([deployment.undeploy(signal), another.undeploy(signal)]);
    await (await created(0)).undeploy(signal);
    t.same(cluster.violations, []);
  });

  t.test('an instance is removed while the broker is away, and that is told later', { skip }, async (t) => {
    await using both = await startPair();
    const { cluster, network, engine, created, signal } = both;
    const deployment = await created(0);
    process.kill(network.pid(), 'SIGSTOP');
    const undeployed = deployment.undeploy(signal);
    await until(async () => (await processes(engine.folder)).length === 0, 'end of the process', signal);
    await cluster.stopBroker();
    process.kill(network.pid(), 'SIGCONT');
    await until(async () => (await namespaces()).length === 0, 'end of the namespace', signal);
    await cluster.startBroker();
    await undeployed;
    const again = await created(0);
    await again.undeploy(signal);
    t.same(await namespaces(), []);
    t.same(cluster.violations, []);
  });
});
