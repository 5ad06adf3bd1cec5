import t from 'tap';
import { startNetCluster } from '../../../support/cluster/net.ts';
import { setKernel } from '../../../support/network.ts';
import { createDaemon } from '../daemon.ts';
import { footprint, get, inNamespace, run, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';

const service = 'app.appns.svc.svcns';
const task = `${service}.instance.0`;

inSandbox(import.meta.url, () => {
  t.test('a bridged instance is reachable and leaves nothing behind', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };
    t.equal((await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 })).status, 400);
    const registered = await daemon.post('/register', registration);
    t.match(registered, { status: 200, text: '' });
    t.equal((await daemon.post('/register', registration)).status, 200, 'registering again is no fault');
    t.equal((await daemon.post('/register', { ...registration, client_id: 'other' })).status, 400);
    const before = await footprint();
    t.match(before.addresses, /goProxyBridge\s+inet 10\.10\.0\.1\/26/);
    t.match(before.addresses, /goProxyBridge\s+inet6 fc00::101\/120/);

    const deployed = await daemon.post('/wasm/deploy', {
      pid: 0,
      serviceName: service,
      instanceNumber: 0,
      portMappings: '80:8080',
    });
    t.same(deployed.json(), { serviceName: service, nsAddress: '10.10.0.2', nsAddressV6: 'fc00::102' });
    const told = await cluster.message(({ topic }) => topic === 'nodes/node1/net/service/deployed');
    t.same(told.body, {
      appname: service,
      status: 'DEPLOYED',
      instance_number: 0,
      nsip: '10.10.0.2',
      nsipv6: 'fc00::102',
      host_ip: '127.0.0.1',
      host_port: '50103',
    });
    const inside = await inNamespace(task, 'ip', 'addr');
    t.match(inside, /veth01\S+: <[^>]*LOWER_UP[^>]*> mtu 1450/);
    t.match(inside, /inet 10\.10\.0\.2\/26 /);
    t.match(inside, /inet6 fc00::102\/120 /);
    t.notMatch(inside, /tentative/, 'no waiting for duplicate address detection');
    t.match(await inNamespace(task, 'sh', '-c', 'cat /proc/sys/net/ipv6/conf/veth01*/accept_dad'), /^0$/m);
    t.match(await inNamespace(task, 'ip', 'route'), /default via 10\.10\.0\.1 /);
    t.match(await inNamespace(task, 'ip', '-6', 'route'), /default via fc00::101 /);
    using _instance = await serve(task, 8080, 'hello');
    for (const place of ['10.10.0.2:8080', '[fc00::102]:8080', '10.10.0.1:80', '[fc00::101]:80', '127.0.0.1:80'])
      t.equal(await get(undefined, `http://${place}/`), 'hello', `from the board: ${place}`);
    t.match(
      await get(undefined, 'http://[::1]:80/'),
      /Could(n't| not) connect|Connection refused/,
      '[::1] is refused, not left hanging',
    );
    using _board = await serve(undefined, 9000, 'board');
    t.match(
      await get(task, 'http://10.10.0.1:9000/'),
      /^failed.*connect/,
      "the board's services are not for instances",
    );
    t.match(await inNamespace(task, 'ping', '-c1', '-W2', '10.10.0.1'), /1 received/, 'but it answers them');
    t.match(await inNamespace(task, 'cat', '/proc/sys/net/ipv4/ip_unprivileged_port_start'), /^0$/m);

    const undeployed = await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
    t.match(undeployed.json(), { success: true });
    t.same(await footprint(), before);
    t.equal((await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 })).status, 404);
    t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  });

  for (const WasmTopology of ['bridged', 'veth'])
    t.test(`on a board whose new links get no IPv6, instances have it all the same, ${WasmTopology}`, async (t) => {
      const off = 'net/ipv6/conf/default/disable_ipv6';
      await setKernel([], off, '1');
      t.teardown(() => setKernel([], off, '0'));
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), WasmTopology });
      const registered = await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      t.match(registered, { status: 200, text: '' });
      const wanted = { serviceName: service, instanceNumber: 0, portMappings: '80:8080' };
      t.match(await daemon.post('/wasm/deploy', wanted), { status: 200 });
      using _instance = await serve(task, 8080, 'hello');
      t.equal(await get(undefined, 'http://[fc00::102]:8080/'), 'hello');
      t.equal(await get(undefined, 'http://10.10.0.2:8080/'), 'hello');
      t.match(await run('cat', `/proc/sys/${off}`), /^1$/m, "the board's own setting stays");
      t.equal((await daemon.post('/wasm/undeploy', wanted)).status, 200);
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });

  t.test('a kernel without IPv6 is refused with that reason', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await run('mount', '-t', 'tmpfs', 'none', '/proc/sys/net/ipv6');
    const refused = await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
    t.match(refused, { status: 500, text: /kernel has no IPv6.*ipv6\.disable/ });
    await run('umount', '/proc/sys/net/ipv6');
    t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  });
});
