import { deadline, until } from '../../lab/system/wait.ts';
import { getFrom, run } from '../support/network.ts';
import { startDaemon } from './world/daemon.ts';
import { fact } from './world/fact.ts';
import { create, ended, hello, named, patience, reportOf } from './world/instances.ts';
import { inLab } from './world/sandbox.ts';

/** Answers as a released net manager does, by what it knows of another one's paths; writes what it is asked. */
const released = `
const [, path, behind] = process.argv;
const http = require('node:http');
const known = ['/register', '/container/deploy', '/docker/undeploy'];
http.createServer((request, response) => {
  console.log('asked ' + request.url);
  if (!known.includes(request.url)) return response.writeHead(404).end('404 page not found');
  const { method, url, headers } = request;
  const on = http.request({ socketPath: behind, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  on.on('error', () => response.destroy());
  request.pipe(on);
}).listen(path, () => console.log('up'));
`;

const frontMs = 20_000;

inLab(import.meta.url, (folder) => {
  fact(folder, '4.13', { in: 'topologies', runs: true }, async (t, world) => {
    const { board, cluster } = world;
    const socket = '/run/released.sock';
    await world.startNetManager();
    const words = [process.execPath, '-e', released, socket, '/etc/netmanager/netmanager.sock'];
    const front = await startDaemon(board, words, '');
    await until(() => front.log().includes('up') || undefined, deadline(frontMs, 'the net manager in front'));
    const before = await board.footprint();
    await world.startNodeEngine({ overlay_network: `custom:${socket}` });
    await cluster.until('the node’s information', () => cluster.heard('information')[0]);
    const deployment = await create(world, { port: '80:80' });
    t.equal(await getFrom([], `http://${board.v4}/`), hello, 'a port below 1024, too');
    t.match(front.log(), /asked \/container\/deploy/);
    await deployment.undeploy(patience());
    t.match(front.log(), /asked \/docker\/undeploy/);
    t.same((await board.footprint())['namespaces'], before['namespaces']);
    t.notMatch(String((await board.footprint())['links']), /veth00/);
  });

  fact(folder, '2.21', { in: 'topologies', runs: true, slow: 'the network may come back' }, async (t, world) => {
    const { board, cluster } = world;
    const { manager } = await world.worker();
    await create(world);
    await reportOf(world);
    await manager.end('SIGKILL');
    const links = (await run(...board.here, 'ls', '/proc/sys/net/ipv4/conf')).split('\n');
    for (const link of links.filter((name) => name.startsWith('veth00')))
      await run(...board.here, 'ip', 'link', 'del', link);
    await ended(world, 0);
    const before = cluster.heard('jobs/resources').length;
    for (const _ of [1, 2, 3]) await cluster.next('information');
    const after = cluster.heard('jobs/resources').slice(before);
    t.notOk(after.some((report) => named(report).includes(0)));
  });
});
