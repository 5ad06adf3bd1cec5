import pLimit from 'p-limit';
import { askFrom, getFrom, run, serveAt } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { labAddress } from './world/namespaces.ts';
import { wasm } from './world/requests.ts';
import { inLab } from './world/sandbox.ts';
import { task } from './world/world.ts';

const first = { v4: '10.18.0.66', v6: 'fc00::102' };
const gateway = { v4: '10.18.0.65', v6: 'fc00::101' };

inLab(import.meta.url, (folder) => {
  fact(folder, '6.1', { in: 'topologies' }, async (t, { netManager, board, variant }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const addresses = String((await board.footprint())['addresses']);
    const [v4, v6] = variant.topology === 'bridged' ? [26, 120] : [32, 128];
    t.match(addresses, new RegExp(`inet ${gateway.v4}/${v4} `));
    t.match(addresses, new RegExp(`inet6 ${gateway.v6}/${v6} `));
    if (variant.topology === 'bridged') t.match(addresses, /^goProxyBridge /m);
  });

  fact(folder, '6.2', { in: 'topologies' }, async (t, { netManager }) => {
    const manager = await netManager();
    const some = pLimit(8);
    const all = await Promise.all(
      Array.from({ length: 61 }, (_, instance) => some(() => manager.post('/wasm/deploy', wasm(instance)))),
    );
    const addresses = all.map((reply) => String(reply.json()['nsAddress'])).toSorted();
    const expected = Array.from({ length: 61 }, (_, index) => `10.18.0.${66 + index}`);
    t.same(addresses, expected.toSorted());
    t.equal((await manager.post('/wasm/deploy', wasm(61))).status, 500);
  });

  fact(folder, '6.3', { in: 'topologies' }, async (t, { netManager, board, variant }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const links = await run(...board.here, 'ip', '-o', 'link');
    if (variant.topology === 'bridged') t.match(links, /goProxyBridge: .* mtu 1450 /);
    t.match(links, /veth00\S*: .* mtu 1450 /);
    t.match(await run(...board.inside(task(0)), 'ip', '-o', 'link'), /veth01\S*: .* mtu 1450 /);
  });

  fact(folder, '6.4', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    t.match(await run(...board.here, 'ip', '-o', 'link'), /: veth00/);
    t.match(await run(...board.inside(task(0)), 'ip', '-o', 'link'), /: veth01/);
  });

  fact(folder, '6.5', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const inside = (...words: readonly string[]) => run(...board.inside(task(0)), 'ip', ...words);
    const addresses = await inside('-o', 'addr');
    t.match(addresses, `inet ${first.v4}/26 `);
    t.match(addresses, `inet6 ${first.v6}/120 `);
    t.match(await inside('route'), `default via ${gateway.v4} `);
    t.match(await inside('-6', 'route'), `default via ${gateway.v6} `);
  });

  fact(folder, '6.6', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    const addresses = await run(...board.inside(task(0)), 'ip', '-o', '-6', 'addr');
    t.match(addresses, first.v6);
    t.notMatch(addresses, /tentative/);
  });

  fact(folder, '6.7', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'self');
    t.equal(await getFrom(board.inside(task(0)), 'http://127.0.0.1:8080/'), 'self');
    t.equal(await getFrom(board.inside(task(0)), 'http://[::1]:8080/'), 'self');
  });

  fact(folder, '6.8', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0, '80:8080'));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'served');
    t.equal(await getFrom([], `http://${board.v4}/`), 'served', 'another machine');
    t.equal(await getFrom(board.here, `http://${board.v4}/`), 'served', 'the board itself');
    t.equal(await getFrom(board.here, `http://${gateway.v4}/`), 'served', 'the board at its gateway address');
  });

  fact(folder, '6.9', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    await manager.post('/wasm/deploy', wasm(1));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'neighbour');
    for (const host of [first.v4, `[${first.v6}]`])
      t.equal(await getFrom(board.inside(task(1)), `http://${host}:8080/`), 'neighbour', host);
    for (const key of ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'])
      t.equal((await run(...board.here, 'cat', `/proc/sys/${key}`)).trim(), '1', key);
  });

  fact(folder, '6.10', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    using _lab = await serveAt([], 8099, '');
    const inside = board.inside(task(0));
    t.equal(await getFrom(inside, `http://${labAddress.v4}:8099/`), `::ffff:${board.v4}`);
    t.equal(await getFrom(inside, `http://[${labAddress.v6}]:8099/`), board.v6);
  });

  fact(folder, '6.11', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    const deployed = await manager.post('/wasm/deploy', wasm(0, '8080;81:8080/tcp;53:8080/udp'));
    t.equal(deployed.status, 200);
    using _serving = await serveAt(board.inside(task(0)), 8080, 'both');
    t.equal(await getFrom([], `http://${board.v4}:8080/`), 'both', 'the inner port defaults to the host port');
    t.equal(await getFrom([], `http://${board.v4}:81/`), 'both', 'tcp');
    t.equal(await askFrom([], board.v4, 53), 'both:ping', 'udp');
    t.match(await getFrom([], `http://${board.v4}:53/`), /^failed/, 'udp only');
    for (const wrong of ['80:8080:9', '0', '65536', 'x', '80/sctp', '90;90:1'])
      t.equal((await manager.post('/wasm/deploy', wasm(1, wrong))).status, 500, wrong);
  });

  fact(folder, '6.12', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0, '80:8080;53:8080/udp'));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'served');
    for (const host of [board.v4, board.v6]) {
      t.equal(await getFrom([], `http://${host.includes(':') ? `[${host}]` : host}/`), 'served', `tcp ${host}`);
      t.equal(await askFrom([], host, 53), 'served:ping', `udp ${host}`);
    }
  });

  fact(folder, '6.13', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0, '80:8080;53:8080/udp'));
    using _serving = await serveAt(board.inside(task(0)), 8080, 'served');
    t.equal(await getFrom(board.here, 'http://127.0.0.1/'), 'served');
    t.equal(await askFrom(board.here, '127.0.0.1', 53), 'served:ping');
  });

  fact(folder, '6.14', { in: 'topologies' }, async (t, { netManager, board }) => {
    const manager = await netManager();
    for (const instance of [0, 1]) t.equal((await manager.post('/wasm/deploy', wasm(instance, '80:8080'))).status, 200);
    using _zero = await serveAt(board.inside(task(0)), 8080, 'zero');
    using _one = await serveAt(board.inside(task(1)), 8080, 'one');
    const seen = async () => {
      const all: string[] = [];
      // Only one of two answers this many connections by chance less than once in a thousand million times.
      for (let time = 0; time < 32; time++) all.push(await getFrom([], `http://${board.v4}/`));
      return [...new Set(all)].toSorted();
    };
    t.same(await seen(), ['one', 'zero']);
    await manager.post('/wasm/undeploy', wasm(0));
    t.same(await seen(), ['one']);
    await manager.post('/wasm/undeploy', wasm(1));
    t.match(await getFrom([], `http://${board.v4}/`), /^failed/);
  });
});
