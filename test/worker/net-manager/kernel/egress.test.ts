import t from 'tap';
import { startNetCluster } from '../../../support/cluster/net.ts';
import { createDaemon } from '../daemon.ts';
import { ask, attachLab, get, inNamespace, run, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';

const service = 'app.appns.svc.svcns';
const task = `${service}.instance.0`;
const subnet = { address: '10.0.0.0', addressv6: 'fc00::' };

inSandbox(import.meta.url, () => {
  t.before(attachLab);
  for (const [WasmTopology, Egress, v4, v6] of [
    ['bridged', 'on', true, true],
    ['bridged', 'off', false, false],
    ['bridged', ['192.168.50.0/24'], true, false],
    ['veth', 'on', true, true],
    ['veth', ['fd50::/64', '10.9.0.0/16'], false, true],
  ] as const)
    t.test(`egress ${Egress}, ${WasmTopology}`, async (t) => {
      await using cluster = await startNetCluster(subnet);
      const netcfg = { ClusterMqttPort: String(cluster.port), WasmTopology, Egress };
      await using daemon = await createDaemon(netcfg);
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      const deploy = (instanceNumber: number, portMappings: string) =>
        daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings });
      const deployed = (await deploy(0, '80')).json();
      t.match(deployed, { nsAddress: '10.0.0.2', nsAddressV6: 'fc00::2' });
      await deploy(1, '81:80');
      using _instance = await serve(task, 80, 'instance');
      using _other = await serve(`${service}.instance.1`, 80, 'other');
      using _lab = await serve('lab', 9000, 'lab');
      using _board = await serve(undefined, 9001, 'board');
      const isRefused = /^failed.*connect/;
      const reach = async (url: string, text: string, allowed: boolean) => {
        const came = await get(task, url);
        if (allowed) t.equal(came, text, url);
        else t.match(came, isRefused, `${url} is refused at once`);
      };
      await reach('http://192.168.50.2:9000/', 'lab', v4);
      await reach('http://[fd50::2]:9000/', 'lab', v6);
      t.equal(await ask(task, '192.168.50.2', 9000), v4 ? 'lab:ping' : 'failed', 'datagrams too');
      for (const host of ['192.168.50.1', '[fd50::1]', '10.0.0.1', '[fc00::1]'])
        await reach(`http://${host}:9001/`, 'board', false);

      t.equal(await get('lab', 'http://192.168.50.1:80/'), 'instance', 'answers leave all the same');
      t.equal(await get('lab', 'http://[fd50::1]:80/'), 'instance');
      t.equal(await get(undefined, 'http://10.0.0.2:80/'), 'instance');
      t.equal(await get(task, 'http://127.0.0.1:80/'), 'instance', 'the instance reaches itself');
      t.equal(await get(task, 'http://10.0.0.3:80/'), 'other', 'instances reach each other');
      t.equal(await get(task, 'http://192.168.50.1:81/'), 'other', 'through a mapped port too');

      // Someone who owns the namespace sends what is meant for the board's loopback to the gateway.
      await inNamespace(task, 'sh', '-c', 'echo 1 | tee /proc/sys/net/ipv4/conf/*/route_localnet');
      await inNamespace(task, 'ip', 'addr', 'del', '127.0.0.1/8', 'dev', 'lo');
      await inNamespace(task, 'ip', 'route', 'add', '127.0.0.1', 'via', '10.0.0.1', 'dev', 'veth01oak2', 'onlink');
      t.match(await get(task, 'http://127.0.0.1:9001/'), /^failed/, "the board's 127.0.0.1 is out of reach");
      for (const instanceNumber of [0, 1])
        await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber });
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
      t.notMatch(await run('ip', 'link'), /goProxyBridge|veth00oak/);
    });

  for (const [InstanceAccess, board, metadata] of [
    [undefined, false, false],
    [['board'], true, false],
    [['link-local'], false, true],
  ] as const)
    t.test(`what is closed to instances unless it is asked for: ${InstanceAccess ?? 'nothing asked'}`, async (t) => {
      await run('ip', '-n', 'lab', 'addr', 'add', '169.254.169.254/32', 'dev', 'lo');
      await run('ip', 'route', 'add', '169.254.169.254/32', 'via', '192.168.50.2');
      t.teardown(async () => {
        await run('ip', '-n', 'lab', 'addr', 'del', '169.254.169.254/32', 'dev', 'lo');
        await run('ip', 'route', 'del', '169.254.169.254/32');
        await run('nft', 'delete', 'table', 'ip', 't');
      });
      await run('nft', 'add table ip t; add chain ip t p { type nat hook prerouting priority dstnat; }');
      await run('nft', 'add rule ip t p ip daddr 192.168.50.1 tcp dport 9002 dnat to 192.168.50.2:9000');
      await using cluster = await startNetCluster(subnet);
      const netcfg = { ClusterMqttPort: String(cluster.port), ...(InstanceAccess && { InstanceAccess }) };
      await using daemon = await createDaemon(netcfg);
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 });
      using _lab = await serve('lab', 9000, 'lab');
      using _board = await serve(undefined, 9001, 'board');
      const reaches = async (url: string, text: string) => (await get(task, url)) === text;
      t.equal(await reaches('http://192.168.50.2:9000/', 'lab'), true, 'other machines are open');
      t.equal(await reaches('http://10.0.0.1:9001/', 'board'), board, 'the board');
      t.equal(await reaches('http://192.168.50.1:9002/', 'lab'), board, 'what another program maps on the board');
      t.equal(await reaches('http://169.254.169.254:9000/', 'lab'), metadata, 'metadata');
      await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });

  for (const InstanceAccess of [[], ['cluster']])
    t.test(`the cluster's control plane on another machine, ${InstanceAccess[0] ?? 'not asked for'}`, async (t) => {
      await using cluster = await startNetCluster(subnet);
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), InstanceAccess });
      // The broker of this test is found at the lab's address.
      await run('nft', 'add table ip t; add chain ip t o { type nat hook output priority -150; }');
      const broker = `192.168.50.2 tcp dport ${cluster.port} dnat to 127.0.0.1:${cluster.port}`;
      await run('nft', `add rule ip t o ip daddr ${broker}`);
      await run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet');
      const registration = { client_id: 'node1', cluster_address: '192.168.50.2' };
      t.equal((await daemon.post('/register', registration)).status, 200);
      t.equal((await daemon.post('/register', { ...registration, cluster_port: 443, broker_port: 8883 })).status, 200);
      await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 });
      using _broker = await serve('lab', cluster.port, 'open');
      using _registration = await serve('lab', 10100, 'open');
      using _other = await serve('lab', 443, 'open');
      using _named = await serve('lab', 8883, 'open');
      using _app = await serve('lab', 9000, 'app');
      for (const port of [cluster.port, 10100, 443, 8883]) {
        const answer = await get(task, `http://192.168.50.2:${port}/`);
        if (InstanceAccess.length > 0) t.equal(answer, 'open');
        else t.match(answer, /^failed.*connect/, `port ${port}`);
      }
      t.equal(await get(task, 'http://192.168.50.2:9000/'), 'app', 'what else is there is open');
      await run('nft', 'delete', 'table', 'ip', 't');
      await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });

  for (const WasmTopology of ['bridged', 'veth'])
    t.test(`service addresses never leave by the uplink, ${WasmTopology}`, async (t) => {
      await run('ip', 'route', 'add', 'default', 'via', '192.168.50.2');
      await run('ip', '-6', 'route', 'add', 'default', 'via', 'fd50::2');
      await run('ip', '-n', 'lab', 'addr', 'add', '10.30.0.7/32', 'dev', 'lo');
      for (const address of ['fdff::7', 'fcef::7'])
        await run('ip', '-n', 'lab', 'addr', 'add', `${address}/128`, 'dev', 'lo');
      using _lab = await serve('lab', 9000, 'lab');
      t.equal(await get(undefined, 'http://10.30.0.7:9000/'), 'lab', 'as long as there is no net manager');
      await using cluster = await startNetCluster(subnet);
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), WasmTopology });
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 });
      for (const place of [undefined, task])
        for (const url of ['http://10.30.0.7:9000/', 'http://[fdff::7]:9000/', 'http://[fcef::7]:9000/'])
          t.match(await get(place, url), /^failed.*connect/, `${url} from ${place ?? 'the board'}`);
      await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
      t.equal(await get(undefined, 'http://10.30.0.7:9000/'), 'lab', 'the routes go with it');
      await run('ip', 'route', 'del', 'default');
      await run('ip', '-6', 'route', 'del', 'default');
      await run('ip', '-n', 'lab', 'addr', 'flush', 'dev', 'lo');
    });

  for (const [address, v6, reason] of [
    ['192.168.50.0', 'fc00::', /192\.168\.50\.0\/26 overlaps 192\.168\.50\.1\/24 on uplink/],
    ['10.77.3.64', 'fc00::', /10\.77\.3\.64\/26 overlaps 10\.77\.0\.0\/16 routed to uplink/],
    ['10.0.0.0', 'fd50::', /fd50::\/120 overlaps fd50::1\/64 on uplink/],
  ] as const)
    t.test(`a subnet that the board uses itself is refused: ${address} ${v6}`, async (t) => {
      await run('ip', 'route', 'add', '10.77.0.0/16', 'via', '192.168.50.2');
      t.teardown(() => run('ip', 'route', 'del', '10.77.0.0/16'));
      await using cluster = await startNetCluster({ address, addressv6: v6 });
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
      const answer = await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      t.match(answer, { status: 500, text: reason });
      t.notMatch(await run('ip', 'link'), /goProxyBridge/);
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });

  for (const WasmTopology of ['bridged', 'veth'])
    t.test(`a neighbour with a route to the instances reaches mapped ports only, ${WasmTopology}`, async (t) => {
      await using cluster = await startNetCluster(subnet);
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), WasmTopology });
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      for (const [instanceNumber, portMappings] of [
        [0, '80'],
        [1, ''],
      ] as const)
        await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings });
      using _instance = await serve(task, 80, 'instance');
      using _other = await serve(`${service}.instance.1`, 80, 'other');
      using _lab = await serve('lab', 9000, 'lab');
      await run('ip', '-n', 'lab', 'route', 'add', '10.0.0.0/26', 'via', '192.168.50.1');
      await run('ip', '-n', 'lab', 'route', 'add', 'fc00::/120', 'via', 'fd50::1');
      for (const place of ['10.0.0.2', '[fc00::2]', '10.0.0.3', '[fc00::3]'])
        t.match(await get('lab', `http://${place}:80/`), /^failed/, `${place} is not for neighbours`);
      for (const place of ['192.168.50.1', '[fd50::1]'])
        t.equal(await get('lab', `http://${place}:80/`), 'instance', `${place} has the mapped port`);
      for (const place of ['10.0.0.3', '[fc00::3]']) {
        t.equal(await get(task, `http://${place}:80/`), 'other', `instances reach each other: ${place}`);
        t.equal(await get(undefined, `http://${place}:80/`), 'other', `the board reaches ${place}`);
      }
      t.equal(await get(task, 'http://192.168.50.2:9000/'), 'lab', 'answers come in all the same');
      await run('ip', '-n', 'lab', 'route', 'del', '10.0.0.0/26');
      await run('ip', '-n', 'lab', 'route', 'del', 'fc00::/120');
      for (const instanceNumber of [0, 1])
        await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber });
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });
});
