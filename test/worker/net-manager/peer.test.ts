import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import { ownerIn } from '../../../worker/net-manager/peer.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon } from './daemon.ts';
import { footprint, run } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const port = 6_080;
const undeployment = JSON.stringify({ serviceName: service, instanceNumber: 0 });

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:C350 0100007F:17C0 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 20 4 30 10 -1
   1: 0100007F:17C0 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:C351 0100007F:17C0 05 00000000:00000000 03:00000D4F 00000000     0        0 0 3 0
`;
const table6 = `   0: 0000000000000000FFFF00000100007F:C350 0000000000000000FFFF00000100007F:17C0 01 0:0 0:0 0  65534  0 9 1 0
`;

t.test('who holds the other end of a connection, as the kernel tells it', async (t) => {
  const here = { address: '127.0.0.1', port: 6080 };
  const end = (number: number) => ({ address: '127.0.0.1', port: number });
  t.equal(ownerIn(table, end(50_000), here, 4), 1000);
  t.equal(ownerIn(table, end(50_001), here, 4), undefined, 'what is closed already is not root’s');
  t.equal(ownerIn(table, end(50_002), here, 4), undefined);
  t.equal(ownerIn(table6, end(50_000), here, 6), 65_534);
});

/** Becomes a user, if one is named, and then asks: the program's file needs not be everyone's to run. */
const asker = `
const [port, body, user] = process.argv.slice(1);
if (user) process.setuid(Number(user));
const options = { host: '127.0.0.1', port, path: '/wasm/undeploy', method: 'POST' };
require('node:http').request(options, (response) => console.log(response.statusCode)).end(body);
`;

/** Becomes a user, asks, and has closed its socket before anybody can look who asked. */
const hasty = `
const [port, body, user] = process.argv.slice(1);
process.setuid(Number(user));
const head = 'POST /wasm/undeploy HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: ' + body.length + '\\r\\n\\r\\n';
const socket = require('node:net').connect(port, '127.0.0.1', () => socket.end(head + body, () => socket.destroy()));
socket.on('error', () => undefined);
`;

/** The status that an undeployment over TCP is answered with. */
const askAs = async (user: string): Promise<string> =>
  (await run(process.execPath, '-e', asker, String(port), undeployment, user)).trim();

inSandbox(
  import.meta.url,
  () => {
    t.test('over TCP nobody but root is obeyed', async (t) => {
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) }, {}, ['--port', String(port)]);
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0, portMappings: '80' });
      const before = await footprint();
      t.equal(await askAs('1234'), '403');
      t.match(daemon.log(), /403: only root may ask over TCP, and the process that asked runs as user 1234/);
      t.same(await footprint(), before);
      for (let time = 0; time < 5; time++) await run(process.execPath, '-e', hasty, String(port), undeployment, '1234');
      const answered = await new Promise<number>((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, path: '/nowhere', method: 'POST' }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        sent.once('error', reject);
        sent.end();
      });
      t.equal(answered, 404, 'root is let in');

      t.same(await footprint(), before, 'who has gone before the answer is nobody');
      t.equal(await askAs(''), '200');
      await run('ip', 'address', 'add', '10.98.0.1/32', 'dev', 'lo');
      const elsewhere = connect(port, '10.98.0.1');
      t.match(
        await once(elsewhere, 'error', { signal: AbortSignal.timeout(5_000) }),
        [{ code: 'ECONNREFUSED' }],
        'nothing listens but on 127.0.0.1',
      );
      await daemon.end('SIGTERM');
    });
  },
  '-nm',
);
