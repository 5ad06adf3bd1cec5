import t from 'tap';
import { startCluster } from './cluster.ts';
import { createDaemon } from './daemon.ts';
import { ask, attachLab, get, inNamespace, run, serve } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

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
      await using cluster = await startCluster(subnet);
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
      await reach('http://192.168.50.1:9001/', 'board', v4);
      await reach('http://[fd50::1]:9001/', 'board', v6);
      await reach('http://10.0.0.1:9001/', 'board', Egress === 'on');

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

  for (const WasmTopology of ['bridged', 'veth'])
    t.test(`a neighbour with a route to the instances reaches mapped ports only, ${WasmTopology}`, async (t) => {
      await using cluster = await startCluster(subnet);
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
