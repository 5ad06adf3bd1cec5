import { execFile } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { startNetCluster } from '../../support/cluster/net.ts';
import { batches } from '../../support/inputs.ts';
import { createDaemon } from './daemon.ts';
import { footprint, get, run, serve } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };

inSandbox(import.meta.url, () => {
  t.test('a broker that is down is said, and the registration completes when it is up', async (t) => {
    const probe = await startNetCluster();
    await probe[Symbol.asyncDispose]();
    await using daemon = await createDaemon({ ClusterMqttPort: String(probe.port) });
    const first = await daemon.post('/register', registration);
    t.equal(first.status, 503);
    t.match(first.json()['message'], /ECONNREFUSED.*still asking/);
    t.equal((await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 })).status, 500);
    await using _cluster = await startNetCluster(undefined, { port: probe.port });
    t.equal((await daemon.post('/register', registration)).status, 200);
    await daemon.end('SIGTERM');
  });

  t.test('an instance that is taken back before there are addresses is not made afterwards', async (t) => {
    const probe = await startNetCluster();
    await probe[Symbol.asyncDispose]();
    await using daemon = await createDaemon({ ClusterMqttPort: String(probe.port) });
    const { namespaces } = await footprint();
    t.equal((await daemon.post('/register', registration)).status, 503);
    const request = { serviceName: service, instanceNumber: 0 };
    const asked = [daemon.post('/wasm/deploy', request), daemon.post('/wasm/undeploy', request)];
    await using _cluster = await startNetCluster(undefined, { port: probe.port });
    t.same(
      (await Promise.all(asked)).map(({ status }) => status),
      [200, 200],
    );
    t.same((await footprint()).namespaces, namespaces);
    await daemon.end('SIGTERM');
  });

  t.test('an uplink that this board has not got is named', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), DefaultInterface: 'wwan0' });
    t.equal((await daemon.post('/register', registration)).status, 200);
    t.match(daemon.log(), /DefaultInterface 'wwan0' of netcfg\.json is no interface of this board/);
    await daemon.end('SIGTERM');
  });

  t.test('what the cluster or the node can’t give is said, and asked for again', async (t) => {
    const subnet = { address: '10.10.0.1', addressv6: 'fc00::100' };
    await using cluster = await startNetCluster(subnet);
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    const bare = await footprint();
    const wrong = await daemon.post('/register', registration);
    t.equal(wrong.status, 500);
    t.match(wrong.json()['message'], /'10\.10\.0\.1' is not the first address of an IPv4 \/26/);
    t.same(await footprint(), bare);
    subnet.address = '10.10.0.0';
    await run('ip', 'link', 'add', 'name', 'goProxyBridge', 'type', 'bridge');
    t.match((await daemon.post('/register', registration)).json()['message'], /exists that is not ours/);
    await run('ip', 'link', 'del', 'goProxyBridge');
    t.equal((await daemon.post('/register', registration)).status, 200);
    await daemon.end('SIGTERM');
    t.same(await footprint(), bare);
  });

  t.test('a container or unikernel gets its link in the namespace of its process', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', registration);
    const before = await footprint();
    const child = execFile('unshare', ['-n', 'sh', '-c', 'echo up; exec cat']);
    t.teardown(() => child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const request = { pid: child.pid, serviceName: service, instanceNumber: 3, portMappings: '80:8080' };
    for (const kind of ['container', 'wasm'] as const) {
      const deployed = await daemon.post(`/${kind}/deploy`, request);
      const v6 = kind === 'wasm' ? 'nsAddressV6' : 'nsAddressv6';
      t.same(deployed.json(), { serviceName: service, nsAddress: '10.10.0.2', [v6]: 'fc00::102' });
      t.match(await run('nsenter', '-t', String(child.pid), '-n', 'ip', 'addr'), /10\.10\.0\.2\/26/);
      using _serving = await serve(`${service}.instance.3`, 8080, kind);
      t.equal(await get(undefined, 'http://127.0.0.1:80/'), kind);
      const undeployed = await daemon.post(kind === 'wasm' ? '/wasm/undeploy' : '/docker/undeploy', request);
      t.equal(undeployed.status, 200);
      if (kind === 'container') t.equal(undeployed.text, '');
      t.same(await footprint(), before);
    }
    t.notMatch(
      await run('nsenter', '-t', String(child.pid), '-n', 'ip', 'addr'),
      /10\.10\.0\.2/,
      'nothing is left in it',
    );
    const unikernel = await daemon.post('/unikernel/deploy', { ...request, pid: 0, portMappings: '' });
    t.same(unikernel.json(), { serviceName: service, nsAddress: '10.10.0.2', nsAddressv6: 'fc00::102' });
    t.equal((await daemon.post('/unikernel/undeploy', request)).text, '');
    const dead = await daemon.post('/container/deploy', { ...request, pid: 999_999_999 });
    t.match(dead.json()['message'], /no process 999999999/);
    const own = await daemon.post('/container/deploy', { ...request, pid: process.pid });
    t.match(own.json()['message'], /no network namespace of its own/);
    t.same(await footprint(), before, 'neither changed anything');
    await daemon.end('SIGTERM');
  });

  t.test('changes of one instance happen one after the other', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', registration);
    const before = await footprint();
    const request = { serviceName: service, instanceNumber: 0, portMappings: '80;81:80/udp' };
    const paths = ['deploy', 'deploy', 'undeploy', 'deploy', 'undeploy'].map((verb) => `/wasm/${verb}`);
    const answers = await Promise.all(paths.map((path) => daemon.post(path, request)));
    t.same(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200],
    );
    t.same(await footprint(), before);
    await daemon.end('SIGTERM');
  });

  t.test('a foreign forward policy is named in the answer and in the log', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', registration);
    await run(
      'nft',
      'add table ip guard; add chain ip guard FORWARD { type filter hook forward priority 0; policy drop; }',
    );
    const answer = await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 });
    t.equal(answer.status, 200);
    t.match(answer.json()['warning'], /dropped by ip guard FORWARD/);
    t.match(daemon.log(), /WARN.*dropped by ip guard FORWARD/);
    await run('nft', 'delete', 'table', 'ip', 'guard');
    await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
    await daemon.end('SIGTERM');
  });

  t.test('whatever is sent, the answer is a clear error and nothing changes', async (t) => {
    await using cluster = await startNetCluster();
    const port = 6_080;
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) }, {}, ['--port', String(port)]);
    await daemon.post('/register', registration);
    const before = await footprint();
    const status = async (path: string, body: unknown) => (await daemon.post(path, body)).status;
    t.equal(await status('/wasm/deploy', '{'), 400);
    t.equal(await status('/wasm/deploy', { serviceName: '', instanceNumber: 0 }), 400);
    t.equal(await status('/wasm/deploy', { serviceName: 'a.b.c', instanceNumber: 0 }), 500);
    t.equal(await status('/wasm/deploy', { serviceName: '../../a.b.c.d', instanceNumber: 0 }), 500);
    t.equal(await status('/wasm/deploy', 'x'.repeat(200_000)), 400);
    t.equal(await status('/nowhere', {}), 404);
    const overTcp = await fetch(`http://127.0.0.1:${port}/wasm/deploy`, { method: 'POST', body: '{' });
    t.equal(overTcp.status, 400, 'the same over TCP');
    t.equal((await fetch(`http://127.0.0.1:${port}/register`)).status, 405);
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom('a.b.c.d; reboot', '$(reboot).b.c.d', 'a.b.c.d\nlink del lo', '-a.b.c.d'),
    );
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ serviceName: name, instanceNumber: fc.oneof(fc.integer(), fc.string()), portMappings: fc.string() }),
      fc.record({
        serviceName: fc.constant(service),
        instanceNumber: fc.constant(0),
        portMappings: fc.stringMatching(/^[0-9:;/tcpud x]{3,20}[a-z{}"$]$/),
      }),
    );
    const paths = fc.constantFrom(
      '/wasm/deploy',
      '/container/deploy',
      '/wasm/undeploy',
      '/unikernel/undeploy',
      '/register',
    );
    const isRefused = async ([path, body]: readonly [string, unknown]) => {
      const answer = await daemon.post(path, body);
      return [400, 404, 500].includes(answer.status) && typeof answer.json()['message'] === 'string';
    };
    const size = 20;
    const requests = fc.array(fc.tuple(paths, bodies), { minLength: size, maxLength: size });
    await fc.assert(
      fc.asyncProperty(requests, async (batch) => (await Promise.all(batch.map(isRefused))).every(Boolean)),
      batches(20_261_123, size),
    );
    t.same(await footprint(), before);
    t.equal(await daemon.end('SIGTERM'), 0);
  });
});
