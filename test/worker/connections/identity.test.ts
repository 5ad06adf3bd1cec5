import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { startCluster } from '../../support/cluster/engine.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon as createNetManager } from '../net-manager/daemon.ts';
import { footprint, serve } from '../net-manager/kernel.ts';
import { inSandbox } from '../net-manager/sandbox.ts';
import { createDaemon, fetchText, fixture, noWasmtime } from '../node-engine/support/daemon.ts';
import { hello, job, service } from '../node-engine/support/jobs.ts';

const first = 'a'.repeat(24);
const second = 'b'.repeat(24);
const patienceMs = 120_000;
const wanted = { serviceName: service, instanceNumber: 0, portMappings: '80:8080' };

inSandbox(import.meta.url, () => {
  t.test('the net manager moves with the worker that owns the registration, and with nobody else', async (t) => {
    const subnet = { address: '10.10.0.0', addressv6: 'fc00::100' };
    await using cluster = await startNetCluster(subnet);
    await using daemon = await createNetManager({ ClusterMqttPort: String(cluster.port) });
    const bare = await footprint();
    const register = async (client_id: string, former_id?: string) => {
      const request = { client_id, cluster_address: '127.0.0.1', ...(former_id === undefined ? {} : { former_id }) };
      return (await daemon.post('/register', request)).status;
    };
    t.equal(await register(first), 200);
    await daemon.post('/wasm/deploy', wanted);
    using _serving = await serve(`${service}.instance.0`, 8080, 'zero');
    const before = await footprint();
    t.equal(await register(second), 400, 'another id is refused, as the contract has it');
    t.equal(await register(second, 'c'.repeat(24)), 400, 'also from who never owned the registration');
    subnet.address = '10.10.0.64';
    t.equal(await register(second, first), 200);
    const told = await cluster.message(({ topic }) => topic === `nodes/${second}/net/service/deployed`);
    t.match(told.body, { appname: service, instance_number: 0, nsip: '10.10.0.2' }, 'what runs is announced anew');
    await cluster.message(({ topic }) => topic === `nodes/${second}/net/tablequery/request`);
    t.same(await footprint(), before, 'what runs is not touched');
    t.equal(await fetchText('http://127.0.0.1:80/'), '200 zero');
    t.equal(await register(second), 200);
    t.equal(await register(second, first), 200, 'the same again');
    t.equal(await register(first), 400);

    const isSaid = () => (/the cluster gives this node 10\.10\.0\.64/.test(daemon.log()) ? true : undefined);
    await until(isSaid, deadline(patienceMs, 'a line about the other addresses'));
    await daemon.end('SIGKILL');
    await daemon.start();
    t.equal(await register('d'.repeat(24), second), 200, 'also after a restart');
    const again = await cluster.message(({ topic }) => topic === `nodes/${'d'.repeat(24)}/net/service/deployed`);
    t.match(again.body, { nsip: '10.10.0.2' });

    t.equal((await daemon.post('/wasm/undeploy', wanted)).status, 200);
    const next = await daemon.post('/wasm/deploy', wanted);
    t.equal(next.json()['nsAddress'], '10.10.0.66', 'once nothing uses the former addresses, the new ones are taken');
    await daemon.post('/wasm/undeploy', wanted);
    t.equal(await daemon.end('SIGTERM'), 0);
    t.same(await footprint(), bare);
  });

  t.test('where the cluster is, is read like any host; netcfg.json says it where the request does not', async (t) => {
    await using cluster = await startNetCluster();
    const netcfg = { ClusterMqttPort: cluster.port, ClusterUrl: ' 127.0.0.1 ', NodePublicPort: null, Future: {} };
    await using daemon = await createNetManager(netcfg);
    const register = (more: object) => daemon.post('/register', { client_id: first, ...more });
    const refused = await register({ cluster_address: 'https://127.0.0.1:10100' });
    t.equal(refused.status, 400);
    t.match(refused.json()['message'], /cluster_address: .* has a scheme: write '127\.0\.0\.1'/);
    t.equal((await register({ client_id: 'a/b', cluster_address: '127.0.0.1' })).status, 400, 'no part of a topic');
    t.equal((await register({ cluster_address: null })).status, 200, daemon.log());
    t.equal((await register({ cluster_address: '127.0.0.1 ' })).status, 200, 'the same host');
    await daemon.end('SIGTERM');
    for (const ClusterUrl of ['http://127.0.0.1', '127.0.0.1:10100', '127.0.0.1/api'])
      await t.rejects(createNetManager({ ClusterUrl }), /NetManager ended \(1\).*ClusterUrl: .* write '127\.0\.0\.1'/s);
  });

  t.test('after a new id from the cluster both halves are the same worker', { skip: noWasmtime }, async (t) => {
    let id = first;
    await using cluster = await startCluster({
      register: () => id,
      subnet: { address: '10.10.0.0', addressv6: 'fc00::100' },
    });
    await using manager = await createNetManager({});
    await using engine = await createDaemon(cluster.port, {}, ['--net-manager', manager.socket]);
    engine.start();
    await cluster.subscribed();
    const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
    await cluster.send('deploy', job(image));
    await cluster.status('CREATED');
    const deployed = (worker: string) =>
      cluster.until(
        () => cluster.messages.find(({ topic }) => topic === `nodes/${worker}/net/service/deployed`),
        `a network of ${worker}`,
      );
    const reported = (worker: string) =>
      cluster.until(
        () => cluster.messages.find(({ topic }) => topic === `nodes/${worker}/jobs/resources`)?.body,
        `a report of ${worker}`,
      );
    await deployed(first);
    id = second;
    const forgotten = setInterval(() => void cluster.send('error', { message: 'Node not registered' }, first), 500);
    t.teardown(() => clearInterval(forgotten));
    t.match(await reported(second), { services: [{ job_name: service, instance: 0 }] });
    t.match((await deployed(second)).body, { appname: service, instance_number: 0 });
    clearInterval(forgotten);
    t.equal(await fetchText('http://127.0.0.1:8080/'), hello, 'what ran goes on');

    // While the engine is not there the cluster forgets the worker once more.
    const file = join(engine.at('state'), 'network-id');
    const isKept = async () => ((await readFile(file, 'utf8')).trim() === second ? true : undefined);
    await until(isKept, deadline(patienceMs, 'the id on disk'));
    await engine.end('SIGKILL');
    id = 'c'.repeat(24);
    engine.start();
    await deployed(id);
    t.match(await reported(id), { services: [{ job_name: service, instance: 0 }] });
    await cluster.send('delete', { job_name: service, instance_number: 0 }, id);
    await cluster.status('UNDEPLOYED');
    t.same(cluster.violations, []);
    await engine.end('SIGTERM');
    await manager.end('SIGTERM');
  });

  t.test('a net manager that forgot the worker is told again', { skip: noWasmtime }, async () => {
    await using cluster = await startCluster({ subnet: { address: '10.10.0.0', addressv6: 'fc00::100' } });
    await using manager = await createNetManager({});
    await using engine = await createDaemon(cluster.port, {}, ['--net-manager', manager.socket]);
    engine.start();
    await cluster.subscribed();
    await manager.end('SIGTERM');
    await rm(join(manager.folder, 'state'), { recursive: true });
    const asked = () => cluster.messages.filter(({ topic }) => topic === `nodes/${first}/net/subnet`).length;
    const before = asked();
    await manager.start();
    await until(() => (asked() > before ? true : undefined), deadline(patienceMs, 'a registration'));
    await engine.end('SIGTERM');
    await manager.end('SIGTERM');
  });
});
