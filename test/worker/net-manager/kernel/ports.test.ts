import { writeFile } from 'node:fs/promises';
import t from 'tap';
import { startNetCluster } from '../../../support/cluster/net.ts';
import { createDaemon } from '../daemon.ts';
import { ask, attachLab, footprint, get, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';

const service = 'app.appns.svc.svcns';
const first = `${service}.instance.0`;
const second = `${service}.instance.1`;

inSandbox(import.meta.url, () => {
  t.before(attachLab);
  for (const [WasmTopology, filtered] of [
    ['bridged', '1'],
    ['bridged', '0'],
    ['veth', '1'],
  ] as const)
    t.test(`mapped ports, ${WasmTopology}, bridged frames ${filtered === '1' ? '' : 'not '}filtered`, async (t) => {
      for (const family of ['iptables', 'ip6tables'])
        await writeFile(`/proc/sys/net/bridge/bridge-nf-call-${family}`, filtered).catch(() =>
          t.comment('this kernel has no br_netfilter: bridged frames are never filtered'),
        );
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), WasmTopology });
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      const deploy = (instanceNumber: number, portMappings: string) =>
        daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings });
      t.match(await deploy(0, '80:8080;53:8080/udp'), { status: 200 });
      t.match(await deploy(1, '81:8080/tcp'), { status: 200 });
      using _one = await serve(first, 8080, 'one');
      using _two = await serve(second, 8080, 'two');
      using _lab = await serve('lab', 80, 'lab');
      using _board = await serve(undefined, 7000, 'board');

      const places = [
        ['the board', undefined, ['127.0.0.1', '127.1.2.3', '10.10.0.1', '192.168.50.1', '[fc00::101]', '[fd50::1]']],
        ['the lab', 'lab', ['192.168.50.1', '[fd50::1]']],
        ['a neighbour', second, ['10.10.0.1', '192.168.50.1', '[fc00::101]', '[fd50::1]']],
        ['the instance itself', first, ['10.10.0.1', '192.168.50.1', '[fc00::101]', '[fd50::1]']],
      ] as const;
      for (const [who, namespace, hosts] of places)
        for (const host of hosts) {
          t.equal(await get(namespace, `http://${host}:80/`), 'one', `${who}: tcp ${host}`);
          const bare = host.replaceAll(/[[\]]/g, '');
          t.equal(await ask(namespace, bare, 53), 'one:ping', `${who}: udp ${host}`);
        }
      t.equal(await get('lab', 'http://192.168.50.1:81/'), 'two', 'each mapping leads to its own instance');
      t.match(await get(undefined, 'http://[::1]:80/'), /after \d+ ms/, '[::1] is refused, not left hanging');
      t.equal(await get(first, 'http://10.10.0.3:8080/'), 'two', 'instances reach each other');
      t.equal(await get(first, 'http://[fc00::103]:8080/'), 'two', 'over IPv6 too');
      t.equal(await get(first, 'http://192.168.50.2:80/'), 'lab', "another machine's port 80 is not captured");
      t.equal(await get(first, 'http://[fd50::2]:80/'), 'lab', 'nor over IPv6');
      t.equal(await get(undefined, 'http://192.168.50.2:80/'), 'lab', 'nor when the board connects');

      const before = await footprint();
      const refused = async (portMappings: string, reason: RegExp) => {
        const stranger = { serviceName: 'app.appns.other.svcns', instanceNumber: 0, portMappings };
        const answer = await daemon.post('/wasm/deploy', stranger);
        t.equal(answer.status, 500, portMappings);
        t.match(answer.json()['message'], reason);
      };
      await refused('90;80:1', /80\/tcp is already mapped to app\.appns\.svc\.svcns\.instance\.0/);
      await refused('7000:8080', /7000\/tcp is taken by a program that listens/);
      await refused('7000:8080/udp', /7000\/udp is taken by a program that listens/);
      t.same(await footprint(), before, 'a refused deployment changed nothing');
      await refused('80:8080:9', /expected host\[:inner\]/);

      t.equal((await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 })).status, 200);
      t.match(await get('lab', 'http://192.168.50.1:80/'), /^failed/, 'an undeployed mapping is gone');
      t.equal(await get('lab', 'http://192.168.50.1:81/'), 'two', 'the other one stays');
      await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 1 });
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });
});
