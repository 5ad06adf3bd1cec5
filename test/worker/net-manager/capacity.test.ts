import { readdir } from 'node:fs/promises';
import t from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon } from './daemon.ts';
import { footprint, get, serve } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };

inSandbox(import.meta.url, () => {
  for (const WasmTopology of ['bridged', 'veth'])
    t.test(`61 instances fit, one more is refused, all go again, ${WasmTopology}`, async (t) => {
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), WasmTopology });
      await daemon.post('/register', registration);
      const before = await footprint();
      const descriptors = async () => (await readdir(`/proc/${daemon.pid()}/fd`)).length;
      const all = Array.from({ length: 61 }, (_, instanceNumber) => ({ serviceName: service, instanceNumber }));
      const answers = await Promise.all(all.map((request) => daemon.post('/wasm/deploy', request)));
      t.same(
        answers.filter(({ status }) => status !== 200).map(({ text }) => text),
        [],
        'all at once succeed',
      );
      t.equal(new Set(answers.map((answer) => answer.json()['nsAddress'])).size, 61, 'every address is its own');
      const more = await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 61 });
      t.equal(more.status, 500);
      t.match(more.json()['message'], /all 61 addresses/);
      using _last = await serve(`${service}.instance.60`, 80, 'last');
      const last = answers[60]?.json()['nsAddress'];
      t.equal(await get(`${service}.instance.0`, `http://${last}/`), 'last');
      await Promise.all(all.map((request) => daemon.post('/wasm/undeploy', request)));
      t.same(await footprint(), before);
      const settled = await descriptors();
      for (let round = 0; round < 10; round++) {
        await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0, portMappings: '80' });
        await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
      }
      // a look at the board has some for a moment
      const isSettled = async () => (await descriptors()) <= settled || undefined;
      t.ok(await until(isSettled, deadline(120_000, `${settled} descriptors`)), 'no descriptor leaks');
      t.same(await footprint(), before);
      await daemon.end('SIGTERM');
    });
});
