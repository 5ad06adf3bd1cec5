import { spawn } from 'node:child_process';
import { getFrom, run, serveAt } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { wasm } from './world/requests.ts';
import { inLab } from './world/sandbox.ts';
import { service } from './world/world.ts';

const answerMs = 10_000;
const first = { v4: '10.18.0.66', v6: 'fc00::102' };

inLab(import.meta.url, (folder) => {
  fact(folder, '4.1', { in: 'once' }, async (t, { startNetManager, board }) => {
    await startNetManager();
    t.ok(await board.has('/etc/netmanager/netmanager.sock'));
  });

  fact(folder, '4.3', { in: 'once' }, async (t, { startNetManager, cluster }) => {
    const manager = await startNetManager();
    const request = { client_id: cluster.enroll(), cluster_address: cluster.address };
    t.match(await manager.post('/register', request), { status: 200, text: '' });
    t.match(await manager.post('/register', request), { status: 200, text: '' }, 'again');
    t.equal((await manager.post('/register', { ...request, client_id: 'f'.repeat(24) })).status, 400, 'another id');
  });

  fact(folder, '4.4', { in: 'topologies' }, async (t, { netManager }) => {
    const manager = await netManager();
    const reply = await manager.post('/wasm/deploy', wasm(0, '80:8080'));
    t.equal(reply.status, 200);
    t.same(reply.json(), { serviceName: service, nsAddress: first.v4, nsAddressV6: first.v6 });
  });

  fact(folder, '4.5', { in: 'topologies' }, async (t, { netManager }) => {
    const manager = await netManager();
    const unikernel = await manager.post('/unikernel/deploy', wasm(0));
    t.match(unikernel, { status: 200 });
    t.same(unikernel.json(), { serviceName: service, nsAddress: first.v4, nsAddressv6: first.v6 });
    const container = await manager.post('/container/deploy', wasm(1));
    t.match(container.json(), { serviceName: service, nsAddressv6: 'fc00::103' });
  });

  fact(folder, '4.6', { in: 'once' }, async (t, { netManager }) => {
    const manager = await netManager();
    for (const path of ['/container/undeploy', '/docker/undeploy', '/unikernel/undeploy']) {
      await manager.post('/unikernel/deploy', wasm(0));
      t.match(await manager.post(path, { serviceName: service, instanceNumber: 0 }), { status: 200, text: '' }, path);
    }
  });

  fact(folder, '4.7', { in: 'once' }, async (t, { netManager }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const reply = await manager.post('/wasm/undeploy', { serviceName: service, instanceNumber: 0 });
    t.equal(reply.status, 200);
    t.match(reply.json(), { success: true, message: String });
  });

  fact(folder, '4.8', { in: 'once' }, async (t, { startNetManager, cluster }) => {
    const manager = await startNetManager();
    t.equal((await manager.post('/wasm/deploy', wasm(0))).status, 400, 'not registered');
    await manager.post('/register', { client_id: cluster.enroll(), cluster_address: cluster.address });
    for (const [body, what] of [
      ['{', 'half a document'],
      ['', 'nothing'],
      ['[]', 'a list'],
      ['null', 'null'],
      [wasm(0, '80').serviceName, 'a word'],
      [{ ...wasm(0), serviceName: '' }, 'an empty name'],
    ] as const)
      for (const path of ['/wasm/deploy', '/container/deploy', '/unikernel/deploy'])
        t.equal((await manager.post(path, body)).status, 400, `${path}: ${what}`);
  });

  fact(folder, '4.9', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    const before = await board.footprint();
    for (const body of [
      { ...wasm(0), serviceName: 'a.b.c' },
      wasm(0, 'none'),
      { ...wasm(0), pid: 4_000_000 },
      { ...wasm(0), serviceName: '../../run.a.b.c' },
    ])
      t.equal((await manager.post('/wasm/deploy', body)).status, 500, JSON.stringify(body));
    t.same(await board.footprint(), before);
  });

  fact(folder, '4.10', { in: 'once' }, async (t, { netManager }) => {
    const manager = await netManager();
    const began = performance.now();
    await Promise.all(Array.from({ length: 20 }, (_, instance) => manager.post('/wasm/deploy', wasm(instance))));
    await Promise.all(Array.from({ length: 20 }, (_, instance) => manager.post('/wasm/undeploy', wasm(instance))));
    t.ok(performance.now() - began < answerMs, 'twenty at once, there and back');
  });

  fact(folder, '4.11', { in: 'once' }, async (t, { startNetManager, cluster }) => {
    const request = { client_id: cluster.enroll(), cluster_address: cluster.address };
    await cluster.stopBroker();
    const manager = await startNetManager({ ClusterMqttPort: String(cluster.brokerPort) });
    const down = await manager.post('/register', request);
    t.not(down.status, 200, 'nothing works, so nothing is promised');
    t.ok(manager.runs(), 'it goes on');
    await cluster.startBroker();
    await cluster.next('net/subnet');
    t.equal((await manager.post('/register', request)).status, 200);
    t.equal((await manager.post('/wasm/deploy', wasm(0))).status, 200);
  });

  fact(folder, '4.12', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    const before = await board.footprint();
    const [file = '', ...words] = [
      ...board.here,
      'unshare',
      '-n',
      'sh',
      '-c',
      'read -r pid rest </proc/self/stat; echo $pid; cat',
    ];
    const child = spawn(file, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
    for (const [path, v6] of [
      ['container', 'nsAddressv6'],
      ['wasm', 'nsAddressV6'],
    ] as const) {
      const reply = await manager.post(`/${path}/deploy`, { ...wasm(0, '80:8080'), pid });
      t.same(reply.json(), { serviceName: service, nsAddress: first.v4, [v6]: first.v6 });
      const inside = [...board.here, 'nsenter', '-t', String(pid), '-n', '--'];
      t.match(await run(...inside, 'ip', '-o', 'addr'), `inet ${first.v4}/26 `);
      using _serving = await serveAt(inside, 8080, path);
      t.equal(await getFrom([], `http://${board.v4}/`), path);
      t.equal((await manager.post(`/${path}/undeploy`, wasm(0))).status, 200);
      t.same(await board.footprint(), before, 'nothing is left');
    }
    child.stdin.end();
  });
});
