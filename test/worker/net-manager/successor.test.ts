import { readFile } from 'node:fs/promises';
import t from 'tap';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon } from './daemon.ts';
import { attachLab, footprint, get, run, serve } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const task = (instance: number) => `${service}.instance.${instance}`;
const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };
const forwarding = async () =>
  (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')) +
  (await readFile('/proc/sys/net/ipv6/conf/all/forwarding', 'utf8'));

inSandbox(import.meta.url, () => {
  t.before(attachLab);
  for (const WasmTopology of ['bridged', 'veth'])
    t.test(`a killed net manager's successor takes over, ${WasmTopology}`, async (t) => {
      const bare = await footprint();
      const settings = await forwarding();
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), WasmTopology });
      const deploy = async (instanceNumber: number, portMappings = '') =>
        (await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings })).json();
      await daemon.post('/register', registration);
      for (const [instance, port] of [
        [0, '80:8080'],
        [1, '81:8080'],
        [2, '82:8080'],
      ] as const)
        await deploy(instance, port);
      using _serving = await serve(task(1), 8080, 'one');
      const before = await footprint();

      await daemon.end('SIGKILL');
      t.same(await footprint(), before, 'the network stands without its manager');
      await run('ip', 'link', 'add', 'veth00oak40', 'type', 'veth', 'peer', 'name', 'veth01oak40');
      await run('ip', 'link', 'add', 'veth00other', 'type', 'veth', 'peer', 'name', 'veth01other');
      await run('ip', 'netns', 'add', 'foreign.a.b.c.instance.0');
      await run('nft', 'add', 'table', 'inet', 'foreign');
      await run('ip', 'netns', 'del', task(2));
      await daemon.start();
      t.equal(await get('lab', 'http://192.168.50.1:81/'), 'one', 'the running instance serves on');
      const control = `ip daddr 127.0.0.1 meta l4proto { tcp, udp } th dport { 10000-10199, ${cluster.port} } reject`;
      t.ok(before.rules.includes(control), 'instances are kept from the control plane');
      t.ok((await footprint()).rules.includes(control), 'at every moment after a restart, too');

      t.equal((await daemon.post('/register', registration)).status, 200);
      t.equal((await daemon.post('/register', { ...registration, client_id: 'node2' })).status, 400);
      t.equal((await deploy(1, '81:8080'))['nsAddress'], '10.10.0.3', 'nothing is renumbered');
      t.equal((await deploy(3))['nsAddress'], '10.10.0.4', 'what was lost gave its address back');
      t.equal((await deploy(4))['nsAddress'], '10.10.0.5');
      t.equal(await get('lab', 'http://192.168.50.1:81/'), 'one', 'deployments go on beside it');
      const now = await footprint();
      t.notOk(now.links.includes('veth00oak40'), 'an orphan with our mark is removed');
      t.ok(now.links.includes('veth00other'), 'a foreign link stays');
      t.ok(now.namespaces.includes('foreign.a.b.c.instance.0'), 'a foreign namespace stays');
      t.match(now.rules, /table inet foreign/, 'foreign rules stay');
      t.notMatch(now.rules, /tcp \. 82/, "a lost instance's mapping is gone");

      await run('ip', 'link', 'del', 'veth00other');
      await run('ip', 'netns', 'del', 'foreign.a.b.c.instance.0');
      await run('nft', 'delete', 'table', 'inet', 'foreign');
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
      t.equal(await get('lab', 'http://192.168.50.1:81/'), 'one', 'a polite end leaves instances running');
      await daemon.start();
      await daemon.post('/register', registration);
      for (const instanceNumber of [0, 1, 3, 4])
        t.equal((await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber })).status, 200);
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
      t.same(await footprint(), bare, 'without instances nothing is left');
      t.equal(await forwarding(), settings, 'settings of the whole node are as they were found');
    });

  t.test('a board that was booted again starts clean', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', registration);
    await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0, portMappings: '80' });
    await daemon.end('SIGKILL');
    await run('ip', 'netns', 'del', task(0));
    await run('ip', 'link', 'del', 'goProxyBridge');
    await run('nft', 'flush', 'ruleset');
    await daemon.start();
    t.equal(
      (await daemon.post('/register', { ...registration, client_id: 'node2' })).status,
      200,
      'a new identity is taken when nothing runs under the old one',
    );
    const answer = await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 7 });
    t.equal(answer.json()['nsAddress'], '10.10.0.2');
    await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 7 });
    await daemon.end('SIGTERM');
  });

  t.test('a successor removes instances at once, without a registration or a broker', async (t) => {
    const cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    const bare = await footprint();
    await daemon.post('/register', registration);
    await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0, portMappings: '80' });
    await daemon.end('SIGKILL');
    await cluster[Symbol.asyncDispose]();
    await daemon.start();
    t.equal((await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 })).status, 200);
    t.equal((await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 })).status, 404);
    t.notMatch(daemon.log(), /DEP0169/);
    await daemon.end('SIGKILL');
    await daemon.start();
    const gone = await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
    t.equal(gone.status, 404, 'nothing runs here, whatever the cluster says');
    await daemon.end('SIGTERM');
    t.same((await footprint()).namespaces, bare.namespaces);
  });
});
