import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { startNetCluster } from '../../support/cluster/net.ts';
import { batches } from '../../support/inputs.ts';
import { createDaemon } from './daemon.ts';
import { attachLab, footprint, run } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const first = { serviceName: service, instanceNumber: 0 };
const second = { serviceName: service, instanceNumber: 1 };

const hasOpenssl = (): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const relay = `
const [port] = process.argv.slice(1);
const net = require('node:net');
net.createServer((near) => {
  const far = net.connect(Number(port), 'fd50::1');
  near.pipe(far).pipe(near);
  for (const end of [near, far]) end.on('error', () => (near.destroy(), far.destroy()));
}).listen(Number(port), '192.168.50.2', () => console.log('up'));
`;

inSandbox(import.meta.url, () => {
  t.before(attachLab);

  t.test('a service is asked after while it has instances here; a silent cluster holds nothing up', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
    const queries = () => cluster.messages.filter(({ topic }) => topic === 'nodes/node1/net/tablequery/request');
    t.equal((await daemon.post('/wasm/deploy', first)).status, 200);
    const query = await cluster.message(({ topic }) => topic.endsWith('tablequery/request'));
    t.same(query.body, { sname: service, sip: '' });
    t.equal((await daemon.post('/wasm/deploy', second)).status, 200, 'the unanswered query blocks no deployment');
    t.equal(queries().length, 1, 'one interest a service');
    for (const junk of ['', 'null', { type: 'OTHER' }])
      await cluster.publish(`jobs/${service}/updates_available`, junk);
    await cluster.publish('nodes/node1/net/tablequery/result', { app_name: 7 });
    await cluster.publish(`jobs/${service}/updates_available`, { type: 'DEPLOYMENT' });
    await cluster.message(() => queries().length === 2);
    await daemon.post('/wasm/undeploy', first);
    await daemon.post('/wasm/undeploy', second);
    const removed = await cluster.message(({ topic }) => topic === 'nodes/node1/net/interest/remove');
    t.same(removed.body, { appname: service });
    t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  });

  t.test('whatever a broker sends, instances come and go', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
    t.equal((await daemon.post('/wasm/deploy', first)).status, 200);
    const before = await footprint();
    const topics = fc.constantFrom(
      'nodes/node1/net/subnetwork/result',
      'nodes/node1/net/tablequery/result',
      `jobs/${service}/updates_available`,
    );
    const result = fc.record(
      {
        address: fc.oneof(fc.ipV4(), fc.string()),
        addressv6: fc.oneof(fc.ipV6(), fc.string()),
        app_name: fc.oneof(fc.constant(service), fc.string()),
        query_key: fc.string(),
        instance_list: fc.oneof(fc.constant([]), fc.array(fc.jsonValue())),
        type: fc.oneof(fc.constantFrom('DEPLOYMENT', 'UNDEPLOYMENT'), fc.string()),
      },
      { requiredKeys: [] },
    );
    const payloads = fc.oneof(result, fc.jsonValue());
    const size = 20;
    const messages = fc.array(fc.tuple(topics, payloads), { minLength: size, maxLength: size });
    const publish = async (batch: readonly (readonly [string, unknown])[]) => {
      await Promise.all(batch.map((message) => cluster.publish(...message)));
    };
    await fc.assert(fc.asyncProperty(messages, publish), batches(20_261_124, size));
    t.equal((await daemon.post('/wasm/deploy', second)).json()['nsAddress'], '10.10.0.3');
    t.equal((await daemon.post('/wasm/undeploy', second)).status, 200);
    t.same(await footprint(), before, 'nothing that was sent has changed the network');
    t.equal((await daemon.post('/wasm/undeploy', first)).status, 200);
    t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  });

  t.test("the cluster is told when this node's address changes", async (t) => {
    await using cluster = await startNetCluster(undefined, { host: '::' });
    const child = execFile('nsenter', [
      '--net=/run/netns/lab',
      '--',
      process.execPath,
      '-e',
      relay,
      String(cluster.port),
    ]);
    t.teardown(() => child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', { client_id: 'node1', cluster_address: '192.168.50.2' });
    await daemon.post('/wasm/deploy', first);
    const told = await cluster.message(({ topic }) => topic.endsWith('service/deployed'));
    t.equal(told.body['host_ip'], '192.168.50.1');
    await run('ip', 'addr', 'add', '192.168.50.9/24', 'dev', 'uplink');
    await run('ip', 'route', 'replace', '192.168.50.0/24', 'dev', 'uplink', 'src', '192.168.50.9');
    const changed = await cluster.message(({ topic }) => topic === 'nodes/node1/net/service/address-changed');
    t.same(changed.body, { ...told.body, host_ip: '192.168.50.9' });
    await daemon.post('/wasm/undeploy', first);
    await daemon.end('SIGTERM');
  });

  const skip = hasOpenssl() ? false : 'openssl is not installed';
  t.test('a client certificate makes the connection TLS', { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'net-manager-tls-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const pem = (name: string) => join(folder, `${name}.pem`);
    for (const [name, subject, extra] of [
      ['server', '/CN=localhost', ['-addext', 'subjectAltName=IP:127.0.0.1']],
      ['client', '/CN=node1', []],
    ] as const) {
      const files = ['-keyout', pem(`${name}-key`), '-out', pem(name)];
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '1',
          '-subj',
          subject,
          ...extra,
          ...files,
        ],
        { stdio: 'ignore' },
      );
    }
    const tls = {
      key: readFileSync(pem('server-key')),
      cert: readFileSync(pem('server')),
      ca: readFileSync(pem('client')),
      requestCert: true,
      rejectUnauthorized: true,
    };
    await using cluster = await startNetCluster(undefined, { tls });
    const netcfg = { ClusterMqttPort: String(cluster.port), MqttCert: pem('client'), MqttKey: pem('client-key') };
    await using daemon = await createDaemon(netcfg, { NODE_EXTRA_CA_CERTS: pem('server') });
    t.equal((await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' })).status, 200);
    t.match(daemon.log(), /connected to the broker mqtts:/);
    await daemon.end('SIGTERM');
  });
});
