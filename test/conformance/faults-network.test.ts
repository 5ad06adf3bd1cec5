import { getFrom, run, serveAt, setKernel } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { labAddress } from './world/namespaces.ts';
import { wasm } from './world/requests.ts';
import { inLab } from './world/sandbox.ts';
import { service, task } from './world/world.ts';

inLab(import.meta.url, (folder) => {
  fact(folder, '8a', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    const cycle = async () => {
      await manager.post('/wasm/deploy', wasm(0, '80:8080'));
      await manager.post('/wasm/undeploy', wasm(0));
    };
    await cycle();
    const [before, descriptors] = [await board.footprint(), await manager.descriptors()];
    for (let round = 0; round < 20; round++) await cycle();
    t.ok((await manager.descriptors()) <= descriptors, 'no descriptor');
    t.same(await board.footprint(), before, 'no namespace, link or rule');
  });

  fact(folder, '8b', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    const first = await manager.post('/wasm/deploy', wasm(0, '80:8080'));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'undisturbed');
    const before = await board.footprint();
    const again = await manager.post('/wasm/deploy', wasm(0, '80:8080'));
    if (again.status === 200) t.same(again.json(), first.json(), 'the same addresses');
    t.same(await board.footprint(), before);
    t.equal(await getFrom([], `http://${board.v4}/`), 'undisturbed');
    await manager.post('/wasm/undeploy', wasm(0));
    t.equal((await manager.post('/wasm/deploy', wasm(1))).json()['nsAddress'], first.json()['nsAddress'], 'no leak');
  });

  fact(folder, '8c', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    const before = await board.footprint();
    await run(...board.here, 'ip', 'netns', 'add', task(0));
    const foreign = await board.footprint();
    t.not((await manager.post('/wasm/deploy', wasm(0, '80'))).status, 200, 'a namespace of that name is in the way');
    t.same(await board.footprint(), foreign, 'a failed deployment leaves nothing');
    await run(...board.here, 'ip', 'netns', 'del', task(0));
    await manager.post('/wasm/deploy', wasm(0, '80:8080;81:8081/udp'));
    await manager.post('/wasm/undeploy', wasm(0));
    t.same(await board.footprint(), before, 'nor does one that was undone');
  });

  fact(folder, '8d', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    const before = await board.footprint();
    const instances = Array.from({ length: 12 }, (_, instance) => instance);
    const changes = instances.flatMap((instance) => [
      manager.post('/wasm/deploy', wasm(instance, `${8000 + instance}:80`)),
      manager.post('/wasm/undeploy', wasm(instance)),
      manager.post('/wasm/deploy', wasm(instance, `${8000 + instance}:80`)),
    ]);
    await Promise.all(changes);
    const held = await Promise.all(
      instances.map(
        async (instance) => /inet (10\.\S+)/.exec(await run(...board.inside(task(instance)), 'ip', 'addr'))?.[1],
      ),
    );
    t.equal(new Set(held).size, instances.length, 'every address is held once');
    await Promise.all(instances.map((instance) => manager.post('/wasm/undeploy', wasm(instance))));
    t.same(await board.footprint(), before);
  });

  fact(folder, '8e', { in: 'once' }, async (t, { netManager }) => {
    const manager = await netManager();
    const reply = await manager.post('/wasm/undeploy', wasm(7));
    t.not(reply.status, 200);
    t.match(reply.json(), { success: false, message: /./ });
  });

  fact(folder, '8f', { in: 'once' }, async (t, { netManager, cluster }) => {
    cluster.ignored.add(`nodes/${cluster.enroll()}/net/tablequery/request`);
    const manager = await netManager();
    const began = performance.now();
    for (const instance of [0, 1, 2])
      t.equal((await manager.post('/wasm/deploy', wasm(instance))).status, 200, `instance ${instance}`);
    t.ok(performance.now() - began < 5_000, 'less than one unanswered query takes');
    await cluster.until('a query', () => cluster.heard('net/tablequery/request')[0]);
    const asked = cluster.next('net/tablequery/request');
    cluster.send(`jobs/${service}/updates_available`, { type: 'DEPLOYMENT' });
    t.match(await asked, { sname: service }, 'the name is asked for again');
  });

  fact(folder, '8g', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0, '8099:8080'));
    await manager.post('/wasm/deploy', wasm(1));
    using _captor = await serveAt(board.inside(task(0)), 8080, 'captured');
    using _elsewhere = await serveAt([], 8099, 'elsewhere');
    using _neighbour = await serveAt(board.inside(task(1)), 8099, 'neighbour');
    for (const [who, prefix] of [
      ['the instance', board.inside(task(0))],
      ['a neighbour', board.inside(task(1))],
      ['the board', board.here],
    ] as const)
      for (const host of [labAddress.v4, `[${labAddress.v6}]`])
        t.equal(await getFrom(prefix, `http://${host}:8099/`), 'elsewhere', `${who} to ${host}`);
    t.equal(await getFrom(board.inside(task(0)), 'http://10.18.0.67:8099/'), 'neighbour', 'between instances');
  });

  fact(folder, '8h', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0, '80:8080'));
    using _program = await serveAt(board.here, 7000, 'program');
    const stranger = (ports: string) => ({ ...wasm(0, ports), serviceName: 'app.appns.other.svcns' });
    const before = await board.footprint();
    for (const ports of ['80:9000', '7000:80', '7000:80/udp', '90;80:1'])
      t.equal((await manager.post('/wasm/deploy', stranger(ports))).status, 500, ports);
    t.same(await board.footprint(), before, 'and nothing changed');
    t.equal(await getFrom([], `http://${board.v4}:7000/`), 'program');
  });

  fact(folder, '8i', { in: 'topologies' }, async (t, { netManager, board }) => {
    for (const name of ['all', 'default', 'eth0']) await setKernel(board.here, `net/ipv4/conf/${name}/rp_filter`, '1');
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0, '80:8080'));
    await manager.post('/wasm/deploy', wasm(1));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'served');
    t.equal(await getFrom([], `http://${board.v4}/`), 'served', 'from another machine');
    t.equal(await getFrom(board.here, 'http://127.0.0.1/'), 'served', 'from the board');
    t.equal(await getFrom(board.inside(task(1)), `http://${board.v4}/`), 'served', 'from a neighbour');
    t.equal(await getFrom(board.inside(task(0)), `http://${board.v4}/`), 'served', 'from itself');
  });

  fact(folder, '8j', { in: 'topologies' }, async (t, { netManager, startNetManager, board, cluster }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0, '80:8080'));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'serves on');
    const before = await board.footprint();
    await manager.end('SIGKILL');
    t.equal(await getFrom([], `http://${board.v4}/`), 'serves on', 'without its manager');
    const successor = await startNetManager();
    await successor.post('/register', { client_id: cluster.id, cluster_address: cluster.address });
    t.same(await board.footprint(), before, 'nothing is doubled, renumbered or gone');
    t.equal(await getFrom([], `http://${board.v4}/`), 'serves on', 'with the next one');
    t.equal((await successor.post('/wasm/deploy', wasm(1))).json()['nsAddress'], '10.18.0.67');
    t.equal((await successor.post('/wasm/undeploy', wasm(0))).status, 200, 'which can undeploy it');
  });
});
