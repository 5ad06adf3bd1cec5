import { getFrom, run } from '../support/network.ts';
import { startDaemon } from './world/daemon.ts';
import { fact } from './world/fact.ts';
import { create, hello, send } from './world/instances.ts';
import { wasm } from './world/requests.ts';
import { inLab } from './world/sandbox.ts';
import { task } from './world/world.ts';

const misspelt = {
  virutalizaiton_name: 'wasm',
  virutalizaiton_runtime: 'wasm',
  virutalizaiton_active: true,
  virutalizaiton_config: [],
};
const right = {
  virtualization_name: 'wasm',
  virtualization_runtime: 'wasm',
  virtualization_active: true,
  virtualization_config: [],
};

/** Leads a TCP port of the board to a unix socket of the board. */
const relay = `
const net = require('node:net');
const [port, path] = process.argv.slice(1);
net.createServer((from) => {
  const to = net.connect(path);
  from.on('data', (bytes) => console.log(String(bytes).split('\\r')[0]));
  from.pipe(to).pipe(from);
})
  .listen(Number(port), '127.0.0.1', () => console.log('up'));
`;

inLab(import.meta.url, (folder) => {
  for (const [id, virtualization] of [
    ['3.1', misspelt],
    ['3.2', right],
  ] as const)
    fact(folder, id, { in: 'once', runs: true }, async (t, world) => {
      await world.worker({ virtualizations: [virtualization] });
      t.match(world.cluster.registrations[0], { virtualization: ['wasm'] });
      await create(world);
    });

  fact(folder, '3.3', { in: 'once', runs: true }, async (t, world) => {
    await world.worker({ addons: Array.from({ length: 200 }, (_, number) => ({ name: `addon number ${number}` })) });
    t.equal(world.cluster.registrations.length, 1);
  });

  fact(folder, '3.4', { in: 'once', runs: true }, async (t, world) => {
    const { board } = world;
    await run(...board.here, 'ln', '-s', '/etc/netmanager/netmanager.sock', '/run/custom.sock');
    await world.worker({ overlay_network: 'custom:/run/custom.sock' });
    await create(world);
    t.ok(await board.has(`/run/netns/${task(0)}`));
  });

  fact(folder, '3.5', { in: 'once', runs: true }, async (t, world) => {
    const { cluster } = world;
    const engine = await world.startNodeEngine({ overlay_network: 'disabled' });
    await cluster.until('information', () => cluster.heard('information')[0]);
    await send(world);
    const failed = await cluster.until('an end', () => cluster.heard('job').find(({ status }) => status === 'FAILED'));
    t.match(failed, { status_detail: /network/ });
    t.ok(engine.runs());
  });

  fact(folder, '3.6', { in: 'once' }, async (t, { netManager, cluster }) => {
    const manager = await netManager({ NodePublicAddress: '203.0.113.7', NodePublicPort: '50999' });
    await manager.post('/wasm/deploy', wasm(0));
    const told = await cluster.until('the announcement', () => cluster.heard('net/service/deployed')[0]);
    t.match(told, { host_ip: '203.0.113.7', host_port: '50999' });
  });

  fact(folder, '3.7', { in: 'topologies' }, async (t, { startNetManager, cluster, board, variant }) => {
    const manager = await startNetManager({}, { MTUsize: 1400 });
    await manager.post('/register', { client_id: cluster.enroll(), cluster_address: cluster.address });
    await manager.post('/wasm/deploy', wasm(0));
    const links = await run(...board.here, 'ip', '-o', 'link');
    if (variant.topology === 'bridged') t.match(links, /goProxyBridge: .* mtu 1400 /);
    t.match(links, /veth00\S*: .* mtu 1400 /);
    t.match(await run(...board.inside(task(0)), 'ip', '-o', 'link'), /veth01\S*: .* mtu 1400 /);
  });

  fact(folder, '4.2', { in: 'once', runs: true }, async (t, world) => {
    const { board, cluster } = world;
    await world.startNetManager();
    const port = 6000;
    const socket = '/etc/netmanager/netmanager.sock';
    const relayed = await startDaemon(board, [process.execPath, '-e', relay, String(port), socket], '');
    await world.startNodeEngine({ overlay_network_port: port });
    await cluster.until('information', () => cluster.heard('information')[0]);
    await create(world, { port: '80:80' });
    t.equal(await getFrom([], `http://${board.v4}/`), hello);
    t.match(relayed.log(), /^POST \S+\/deploy /m, 'the port was used');
  });
});
