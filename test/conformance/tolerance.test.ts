import type { BrokerEvents } from '../../lab/cluster/broker.ts';
import { deadline, until } from '../../lab/system/wait.ts';
import { getFrom } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { create, greeting, hello, named, status } from './world/instances.ts';
import { MuteBroker } from './world/mute.ts';
import { wasm } from './world/requests.ts';
import { inLab } from './world/sandbox.ts';
import { service } from './world/world.ts';

const virtualization = {
  virutalizaiton_name: 'wasm',
  virutalizaiton_runtime: 'wasm',
  virutalizaiton_active: true,
  virutalizaiton_config: null,
};
/** The longest that both halves may disagree on who the worker is. */
const sameWorkerMs = 30_000;
const patienceMs = 60_000;

inLab(import.meta.url, (folder) => {
  fact(folder, '2.18', { in: 'once', runs: true }, async (t, world) => {
    const { board, cluster } = world;
    await world.worker();
    cluster.sendJob({
      ...{ job_name: service, instance_number: 0, image: cluster.offer('hello.wasm', await greeting()) },
      ...{ virtualization: 'wasm', cmd: [''], environment: ['', null], port: '8081:80/tcp, 8082:80/tcp,' },
      ...{ memory: 100, vcpus: 1, arch: null, constraints: null, connectivity: [] },
      volumes: [{ volume_id: 'v1', csi_driver: 'local-path', mount_path: '/data', config: {} }],
    });
    const created = await status(world, 'CREATED');
    for (const port of [8081, 8082]) t.equal(await getFrom([], `http://${board.v4}:${port}/`), hello);
    t.match(created, { status_detail: /volume.*v1/ });
  });

  fact(folder, '2.19', { in: 'once', runs: true }, async (t, world) => {
    const { board, cluster } = world;
    await world.worker();
    await create(world, { port: '80:80' });
    const former = cluster.id;
    cluster.forget();
    const told = setInterval(() => {
      cluster.send(`nodes/${former}/control/error`, { message: 'Node not registered to the cluster' });
    }, 500);
    t.teardown(() => clearInterval(told));
    await cluster.until('a new id', () => (cluster.id === former ? undefined : true), patienceMs);
    const announced = await cluster.until(
      'the instance under the new id',
      () => cluster.heard('net/service/deployed')[0],
      sameWorkerMs,
    );
    t.match(announced, { appname: service, instance_number: 0 });
    const isReported = () => cluster.heard('jobs/resources').find((report) => named(report).includes(0));
    t.ok(await cluster.until('a report under the new id', isReported, sameWorkerMs));
    t.equal(await getFrom([], `http://${board.v4}/`), hello, 'it goes on');
    t.same(cluster.statuses(), [], 'and is not deployed again');
  });

  const broker = { name: 'mute', make: (host: string, events: BrokerEvents) => new MuteBroker(host, events) };

  fact(folder, '2.20', { in: 'once', runs: true, broker }, async (t, { startNodeEngine, cluster }) => {
    const engine = await startNodeEngine({ overlay_network: 'disabled' });
    await cluster.until('a second connection', () => cluster.connections[1], patienceMs);
    t.ok(engine.runs());
  });

  fact(folder, '5.9', { in: 'once', broker }, async (t, { startNetManager, cluster }) => {
    const manager = await startNetManager();
    const request = { client_id: cluster.enroll(), cluster_address: cluster.address };
    t.not((await manager.post('/register', request)).status, 200);
    await cluster.until('a second connection', () => cluster.connections[1], patienceMs);
    t.ok(manager.runs());
  });

  fact(folder, '3.8', { in: 'once', runs: true }, async (t, world) => {
    const csi_drivers = [{ name: 'local-path', socket: '/run/csi/local.sock', config: null }];
    const engine = await world.startNodeEngine({
      ...{ addons: null, csi_drivers: null, virtualizations: [virtualization], overlay_network: 'disabled' },
    });
    await world.cluster.until('information', () => world.cluster.heard('information')[0]);
    t.match(world.cluster.registrations[0], { virtualization: ['wasm'] });
    await engine.end('SIGKILL');
    await world.startNodeEngine({ addons: null, virtualizations: null, csi_drivers, overlay_network: 'disabled' });
    await world.cluster.until('a second registration', () => world.cluster.registrations[1]);
  });

  fact(folder, '3.9', { in: 'once', runs: true }, async (t, { startNodeEngine, cluster }) => {
    const { address, registrationPort: port } = cluster;
    for (const cluster_address of [`http://${address}`, `${address}:${port}`, `${address}/api`]) {
      const engine = await startNodeEngine({ cluster_address });
      await until(() => (engine.runs() ? undefined : true), deadline(patienceMs, `the end with ${cluster_address}`));
      t.not(await engine.end('SIGTERM'), 0, cluster_address);
      t.ok(engine.log().includes(`'${address}'`), engine.log());
    }
    t.same(cluster.registrations, []);
  });

  fact(folder, '5.8', { in: 'once' }, async (t, { netManager, cluster }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    await cluster.until('a first query', () => cluster.heard('net/tablequery/request')[0]);
    const rows = [{ instance_number: 1, namespace_ip: null, host_ip: null, worker_id: null }, null, 7, {}];
    cluster.send(`nodes/${cluster.id}/net/tablequery/result`, {
      ...{ app_name: service, query_key: service },
      instance_list: rows,
    });
    const asked = cluster.next('net/tablequery/request');
    cluster.send(`jobs/${service}/updates_available`, { type: 'DEPLOYMENT' });
    t.match(await asked, { sname: service });
    t.equal((await manager.post('/wasm/deploy', wasm(1))).status, 200);
  });
});
