import { run } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { wasm } from './world/requests.ts';
import { inLab } from './world/sandbox.ts';
import { service } from './world/world.ts';

inLab(import.meta.url, (folder) => {
  fact(folder, '5.1', { in: 'once' }, async (t, { netManager, cluster }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    await cluster.until('the announcement', () => cluster.heard('net/service/deployed')[0]);
    t.same(cluster.connections, [cluster.id]);
    t.ok(cluster.subscriptions.length > 0);
    t.same(
      cluster.subscriptions.filter(({ qos }) => qos !== 1),
      [],
    );
    t.same(
      cluster.publications.filter(({ qos, retain, client }) => qos !== 1 || retain || client !== cluster.id),
      [],
    );
  });

  fact(folder, '5.2', { in: 'once' }, async (t, { netManager, cluster }) => {
    const manager = await netManager();
    t.same(cluster.heard('net/subnet')[0], { METHOD: 'GET' });
    const topic = `nodes/${cluster.id}/net/subnetwork/result`;
    t.ok(
      cluster.subscriptions.some(({ filter }) => filter === topic),
      'it waits for the answer there',
    );
    t.match((await manager.post('/wasm/deploy', wasm(0))).json(), {
      nsAddress: '10.18.0.66',
      nsAddressV6: 'fc00::102',
    });
  });

  fact(folder, '5.3', { in: 'topologies' }, async (t, { netManager, cluster, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(3));
    const told = await cluster.until('the announcement', () => cluster.heard('net/service/deployed')[0]);
    t.same(told, {
      appname: service,
      status: 'DEPLOYED',
      instance_number: 3,
      nsip: '10.18.0.66',
      nsipv6: 'fc00::102',
      host_ip: board.v4,
      host_port: '50103',
    });
  });

  fact(folder, '5.4', { in: 'once', slow: 'takes as long as the worker looks seldom' }, async (t, world) => {
    const { netManager, cluster, board } = world;
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    await cluster.until('the announcement', () => cluster.heard('net/service/deployed')[0]);
    const ip = (...words: readonly string[]) => run(...board.here, 'ip', ...words);
    await ip('addr', 'add', '192.168.50.200/24', 'dev', 'eth0');
    await ip('addr', 'del', `${board.v4}/24`, 'dev', 'eth0');
    await ip('addr', 'replace', '192.168.50.200/24', 'dev', 'eth0');
    const told = await cluster.until('address-changed', () => cluster.heard('net/service/address-changed')[0], 60_000);
    t.match(told, { appname: service, instance_number: 0, nsip: '10.18.0.66', host_ip: '192.168.50.200' });
  });

  fact(folder, '5.5', { in: 'once' }, async (t, { netManager, cluster }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const query = await cluster.until('a table query', () => cluster.heard('net/tablequery/request')[0]);
    t.match(query, { sname: service, sip: '' });
  });

  fact(folder, '5.6', { in: 'once' }, async (t, { netManager, cluster }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const topic = `jobs/${service}/updates_available`;
    await cluster.until('a subscription to updates', () =>
      cluster.subscriptions.find(({ filter }) => filter === topic),
    );
    await cluster.until('a first query', () => cluster.heard('net/tablequery/request')[0]);
    for (const type of ['DEPLOYMENT', 'UNDEPLOYMENT']) {
      const asked = cluster.next('net/tablequery/request');
      cluster.send(topic, { type });
      t.match(await asked, { sname: service }, type);
    }
    for (const nonsense of ['', '{', 'null', '[]', '{"type":7}']) cluster.send(topic, nonsense);
    t.equal((await manager.post('/wasm/deploy', wasm(1))).status, 200, 'nonsense does no harm');
  });

  fact(folder, '5.7', { in: 'once', slow: 'takes over ten seconds' }, async (t, { netManager, cluster }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const gone = cluster.next('net/interest/remove');
    const began = performance.now();
    await manager.post('/wasm/undeploy', wasm(0));
    t.same(await gone, { appname: service });
    t.ok(performance.now() - began > 5_000, 'not at once: another instance may come');
  });
});
