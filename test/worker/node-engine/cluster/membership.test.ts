import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import t from 'tap';
import { startCluster } from '../../../support/cluster/engine.ts';
import { job } from '../support/jobs.ts';
import { startWorker } from '../support/worker.ts';

const first = 'a'.repeat(24);
const second = 'b'.repeat(24);

t.test('both dialects, as configured', async (t) => {
  for (const dialect of ['400', '403'] as const) {
    await using cluster = await startCluster({ dialect });
    await using _worker = await startWorker(cluster, { dialect });
    await cluster.subscribed();
    t.match(cluster.registrations, [{ id: '', port: '3000' }]);
    t.same(cluster.violations, []);
  }
});

t.test("the cluster's dialect is learned from its refusals", async (t) => {
  await using cluster = await startCluster({ dialect: '400' });
  await using _worker = await startWorker(cluster);
  await cluster.subscribed();
  t.equal(cluster.registrations.length, 4, 'three times in the newer dialect, then in the older one');
  t.same(cluster.violations, []);
});

t.test('a cluster that is not ready is asked again in its own dialect', async (t) => {
  await using cluster = await startCluster({ register: (times) => (times < 3 ? 503 : first) });
  await using _worker = await startWorker(cluster);
  await cluster.subscribed();
  t.equal(cluster.registrations.length, 3);
  t.same(cluster.violations, []);
});

t.test('a cluster that has forgotten the worker is registered with again', async (t) => {
  await using cluster = await startCluster({ register: (times) => (times === 1 ? first : second) });
  await using _worker = await startWorker(cluster, { dialect: '403' });
  await cluster.subscribed();
  const forgotten = () =>
    cluster.messages.find(({ topic, body }) => topic === `nodes/${second}/information` && body['id'] === second);
  const told = setInterval(() => void cluster.send('error', { message: 'Node not registered to the cluster' }), 50);
  t.teardown(() => clearInterval(told));
  t.ok(await cluster.until(forgotten, 'report as the new worker'));
});

t.test('a worker that is told to stop while it connects to the broker stops', async (t) => {
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  await using cluster = await startCluster({ connected: resolve });
  const worker = await startWorker(cluster, { dialect: '403' });
  await connected;
  await worker[Symbol.asyncDispose]();
  t.same(cluster.violations, []);
});

t.test('a long silence makes the worker register again', async (t) => {
  await using cluster = await startCluster();
  await using _worker = await startWorker(cluster, { silence: 200 });
  await cluster.until(() => cluster.registrations[2], 'third registration');
  t.ok(cluster.messages.length > 0);
});

t.test('an instance without a network is refused with what to do', async (t) => {
  await using cluster = await startCluster();
  await using _worker = await startWorker(cluster, { dialect: '403' });
  await cluster.subscribed();
  await cluster.send('deploy', job('file:///nothing'));
  t.match(await cluster.status('FAILED'), { status_detail: /set overlay_network/ });
  for (const text of ['', '{', 'null', '[]', '{"job_name":7}', '{"job_name":""}']) await cluster.send('deploy', text);
  await cluster.send('delete', { job_name: 'x.y.z.w', instance_number: 3 });
  await cluster.status('UNDEPLOYED', 3);
  t.same(cluster.statuses(), ['CREATING', 'FAILED'], 'what cannot be understood is answered to nobody');
  t.same(cluster.violations, []);
});

const noOpenssl = (): string | false => {
  try {
    execFileSync('openssl', ['version']);
    return false;
  } catch {
    return 'openssl is not installed';
  }
};

t.test('registration and broker over TLS, with a client certificate', { skip: noOpenssl() }, async (t) => {
  const folder = t.testdir();
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=lab', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const making = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', [...making, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  const tls = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  const conf = { cluster_ssl: true, mqtt_cert_file: cert, mqtt_key_file: key };
  await using cluster = await startCluster({ tls });
  {
    await using _worker = await startWorker(cluster, { conf });
    await cluster.refused;
    t.same(cluster.registrations, [], 'a cluster whose certificate nobody vouches for is told nothing');
  }
  const usual = getCACertificates();
  setDefaultCACertificates([...usual, tls.cert]);
  t.teardown(() => setDefaultCACertificates(usual));
  await using _worker = await startWorker(cluster, { conf });
  await cluster.subscribed();
  t.same(cluster.violations, []);
});
