import t, { type Test } from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { maxMessageBytes } from '../../../worker/system/mqtt.ts';
import { startCluster } from '../../support/cluster/engine.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { type Answers, startMuteBroker } from '../../support/servers/mute-broker.ts';
import { createDaemon as createNetManager } from '../net-manager/daemon.ts';
import { inSandbox } from '../net-manager/sandbox.ts';
import { service } from '../node-engine/support/jobs.ts';
import { startWorker } from '../node-engine/support/worker.ts';

const patienceMs = 180_000;
const id = 'a'.repeat(24);

const again = async (t: Test, what: string, times: () => number, least = 3): Promise<void> => {
  const more = await until(() => (times() >= least ? times() : undefined), deadline(patienceMs, `${what} again`));
  t.ok(more >= least, what);
};

// One net manager a board: these run one after the other.
inSandbox(import.meta.url, () => {
  const silences: readonly (readonly [string, Answers])[] = [
    ['acknowledges no subscription', { connect: true, subscribe: false }],
    ['acknowledges no message', { connect: true, subscribe: true }],
    ['accepts connections and is silent', { connect: false, subscribe: false }],
  ];
  for (const [what, answers] of silences) {
    t.test(`a broker that ${what}: the net manager connects anew`, async (t) => {
      await using broker = await startMuteBroker(answers);
      await using daemon = await createNetManager({ ClusterMqttPort: String(broker.port) });
      const refused = await daemon.post('/register', { client_id: id, cluster_address: '127.0.0.1' });
      t.equal(refused.status, 503);
      await again(t, 'connections', broker.connections, 2);
      if (answers.connect) t.match(daemon.log(), /the broker has acknowledged nothing for/);
      await daemon.end('SIGTERM');
    });
  }

  t.test('a message beyond what a cluster can need is not read, by both, and a deployment is answered', async (t) => {
    const long = JSON.stringify({ padding: 'x'.repeat(maxMessageBytes) });
    let connections = 0;
    await using cluster = await startCluster({ connected: () => (connections += 1) });
    await using _worker = await startWorker(cluster, { dialect: '403' });
    await cluster.subscribed();
    await cluster.send('deploy', long);
    const named = { instance_list: [{ instance_number: 9 }], padding: 'x'.repeat(maxMessageBytes) };
    await cluster.send('deploy', { job_name: service, ...named, instance_number: 4 });
    t.match(await cluster.status('FAILED', 4), { status_detail: /has \d{7} bytes, and at most 1048576 are read/ });
    await cluster.send('delete', { job_name: service, instance_number: 3 });
    await cluster.status('UNDEPLOYED', 3);
    t.equal(connections, 1, 'the connection stands');
    await using net = await startNetCluster();
    await using daemon = await createNetManager({ ClusterMqttPort: String(net.port) });
    await daemon.post('/register', { client_id: id, cluster_address: '127.0.0.1' });
    await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 });
    const queries = () => net.messages.filter(({ topic }) => topic.endsWith('tablequery/request')).length;
    await until(() => queries() || undefined, deadline(patienceMs, 'a query'));
    await net.publish(`nodes/${id}/net/tablequery/result`, { padding: 'x'.repeat(maxMessageBytes) });
    await net.publish(`jobs/${service}/updates_available`, { type: 'DEPLOYMENT' });
    await until(() => (queries() > 1 ? true : undefined), deadline(patienceMs, 'a query after an update'));
    t.match(daemon.log(), /a message of \d{7} bytes is ignored/);
    t.notMatch(daemon.log(), /connection was lost/);
    await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
    await daemon.end('SIGTERM');
  });
});
