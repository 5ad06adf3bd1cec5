import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { get } from '../../../worker/node-engine/artifacts/download.ts';
import { explain } from '../../../worker/system/explain.ts';
import { startCluster } from '../../support/cluster/engine.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { makeCertificates, noOpenssl } from '../../support/servers/certificates.ts';
import { createDaemon } from '../net-manager/daemon.ts';
import { inSandbox } from '../net-manager/sandbox.ts';
import { startWorker } from '../node-engine/support/worker.ts';

const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };
const variables = ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'];

inSandbox(import.meta.url, () => {
  if (noOpenssl !== false) {
    t.test('TLS', { skip: noOpenssl }, () => undefined);
    return;
  }
  for (const name of variables) delete process.env[name];
  const folder = mkdtempSync(join(tmpdir(), 'trust-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { files, pem } = makeCertificates(folder);
  execFileSync('mount', ['-t', 'tmpfs', 'store', '/etc/ssl/certs']);
  const intoStore = () => copyFile(files.ca, '/etc/ssl/certs/a-cluster-of-its-own.pem');
  const conf = { cluster_ssl: true, mqtt_cert_file: files.cert, mqtt_key_file: files.key };
  const netcfg = { MqttCert: files.cert, MqttKey: files.key };
  const tls = { ...pem, requestCert: true, rejectUnauthorized: true };

  t.test(
    'an authority that only the system has vouches for the cluster, also once it is put there later',
    async (t) => {
      await using cluster = await startCluster({ tls: pem });
      await using broker = await startNetCluster(undefined, { tls });
      cluster.serve('component', (_, response) => response.end('bytes'));
      const url = new URL(`https://127.0.0.1:${cluster.port}/component`);
      await using daemon = await createDaemon({ ...netcfg, ClusterMqttPort: String(broker.port) });
      {
        await using _worker = await startWorker(cluster, { conf });
        await cluster.refused;
        t.same(cluster.registrations, [], 'a cluster whose certificate nobody vouches for is told nothing');
      }
      await t.rejects(
        get(url, { localHosts: [url.hostname], signal: AbortSignal.timeout(120_000) }),
        /does not answer/,
      );
      t.match((await daemon.post('/register', registration)).json()['message'], /certificate/);
      await writeFile('/etc/ssl/certs/revoked.crl', 'not a certificate');
      await intoStore();
      t.equal((await daemon.post('/register', registration)).status, 200, daemon.log());
      t.match(daemon.log(), /connected to the broker mqtts:/);
      await using _worker = await startWorker(cluster, { conf });
      await cluster.subscribed();
      t.same(cluster.violations, []);
      t.equal(
        (await get(url, { localHosts: [url.hostname], signal: AbortSignal.timeout(120_000) })).statusCode,
        200,
        'a download',
      );
      await daemon.end('SIGTERM');
    },
  );

  t.test('a certificate of other hosts is refused, and what it says is in no message', async (t) => {
    await intoStore();
    await using cluster = await startCluster({ tls: pem });
    execFileSync('sh', ['-c', 'echo "127.0.0.1 elsewhere.test" >/run/hosts && mount --bind /run/hosts /etc/hosts']);
    const url = new URL(`https://elsewhere.test:${cluster.port}/component`);
    const error: unknown = await get(url, { localHosts: [url.hostname], signal: AbortSignal.timeout(10_000) }).catch(
      (reason: unknown) => reason,
    );
    t.match(explain(error), /elsewhere\.test:\d+ does not answer: its certificate is not one for this host$/);
  });

  t.test('MqttCa alone makes the connection TLS, and no other authority counts', async (t) => {
    await intoStore();
    const other = mkdtempSync(join(folder, 'other-'));
    const stranger = makeCertificates(other);
    await using broker = await startNetCluster(undefined, { tls: pem });
    for (const [MqttCa, status] of [
      [files.ca, 200],
      [stranger.files.ca, 503],
    ] as const) {
      await using daemon = await createDaemon({ MqttCa, ClusterMqttPort: String(broker.port) });
      t.equal((await daemon.post('/register', registration)).status, status, daemon.log());
      await daemon.end('SIGTERM');
    }
  });

  t.test('TLS older than 1.2 is not spoken, and never plain in its place', async (t) => {
    await intoStore();
    const old = { ...pem, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await using broker = await startNetCluster(undefined, { tls: old });
    const weak = {
      NODE_OPTIONS: '--tls-min-v1.0 --tls-cipher-list=DEFAULT@SECLEVEL=0',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    };
    await using daemon = await createDaemon({ ...netcfg, ClusterMqttPort: String(broker.port) }, weak);
    const refused = await daemon.post('/register', registration);
    t.equal(refused.status, 503);
    t.match(refused.json()['message'], /version/);
    t.same(broker.messages, []);
    await daemon.end('SIGTERM');
  });

  t.test('no variable makes the worker take an unknown certificate', async (t) => {
    execFileSync('sh', ['-c', 'rm -f /etc/ssl/certs/*']);
    await using broker = await startNetCluster(undefined, { tls });
    const weak = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    await using daemon = await createDaemon({ ...netcfg, ClusterMqttPort: String(broker.port) }, weak);
    t.match((await daemon.post('/register', registration)).json()['message'], /certificate/);
    t.same(broker.messages, []);
    await daemon.end('SIGTERM');
  });

  t.test('half a certificate ends the program with what to set', async (t) => {
    await t.rejects(
      createDaemon({ MqttCert: files.cert, ClusterMqttPort: '1883' }),
      /MqttCert and MqttKey belong together/,
    );
  });
});
