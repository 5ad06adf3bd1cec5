import { once } from 'node:events';
import { readFile, readlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { until } from '../../lab/system/wait.ts';
import { getFrom, run } from '../support/network.ts';
import { type Program, writeProgram } from '../worker/node-engine/support/programs.ts';
import { fact } from './world/fact.ts';
import {
  create,
  ended,
  greeting,
  hello,
  named,
  patience,
  processesOf,
  reportOf,
  send,
  status,
} from './world/instances.ts';
import { inLab } from './world/sandbox.ts';
import { task, type World } from './world/world.ts';

const offer = async ({ cluster, board }: World, program: Program): Promise<string> =>
  cluster.offer(`${program}.wasm`, await readFile(await writeProgram(board.logs, program)));

inLab(import.meta.url, (folder) => {
  fact(folder, '8k', { in: 'topologies', runs: true }, async (t, world) => {
    const { engine } = await world.worker();
    const deployment = await create(world);
    // a worker may look into the namespace for a moment
    const alone = async () => {
      const pids = await processesOf(world);
      return pids.length === 1 ? pids : undefined;
    };
    const [pid = 0, ...more] = await until(alone, patience());
    t.ok(pid > 0, 'a process is in the namespace');
    t.same(more, [], 'and only one');
    t.not(pid, engine.pid);
    const namespaceOf = (one: number) => readlink(`/proc/${one}/ns/net`);
    t.not(await namespaceOf(pid), await namespaceOf(engine.pid));
    const { v4, v6 } = await deployment.address(patience());
    for (const host of [v4, `[${v6}]`]) t.equal(await getFrom(world.board.here, `http://${host}/`), hello, host);
    t.match(await readFile(`/proc/${pid}/status`, 'utf8'), /^CapEff:\t0+$/m, 'without capabilities');
  });

  fact(folder, '8l', { in: 'once', runs: true }, async (t, world) => {
    await world.worker();
    await create(world, { memory: 64 });
    const words = await Promise.all((await processesOf(world)).map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8')));
    const limited = words.join().includes(String(64 * 1024 * 1024));
    const groups = await Promise.all((await processesOf(world)).map((pid) => readFile(`/proc/${pid}/cgroup`, 'utf8')));
    t.ok(limited || groups.join().includes(task(0)), 'the memory limit is passed on to the runtime or to a cgroup');
    t.match(await readFile(join(world.board.logs, task(0)), 'utf8'), /Serving HTTP/, 'error output is in the log');
    const job = { image: await offer(world, 'echo'), cmd: ['first', 'second'], environment: ['GREETING=hello there'] };
    await send(world, { ...job, instance: 1, oneShot: true });
    await status(world, 'COMPLETED', 1);
    const output = await readFile(join(world.board.logs, task(1)), 'utf8');
    t.match(output, /first\0second\0/);
    t.match(output, /GREETING=hello there\0/);
  });

  fact(folder, '8m', { in: 'once', runs: true }, async (t, world) => {
    const { engine } = await world.worker();
    await send(world, { image: await offer(world, 'succeeds'), oneShot: true });
    await status(world, 'COMPLETED');
    const ended = world.cluster.heard('jobs/resources').length;
    const other = await create(world, { instance: 1 });
    await reportOf(world, 1);
    t.notOk(
      world.cluster
        .heard('jobs/resources')
        .slice(ended)
        .some((report) => named(report).includes(0)),
    );
    const topic = `nodes/${world.cluster.id}/control/delete`;
    world.cluster.send(topic, { job_name: 'app.appns.svc.svcns', virtualization: 'wasm', instance_number: 0 });
    await status(world, 'UNDEPLOYED', 0);
    await other.undeploy(patience());
    const busy = await create(world, { instance: 2, image: await offer(world, 'lasts') });
    await busy.undeploy(patience());
    t.notOk(await world.board.has(`/run/netns/${task(2)}`), 'a busy one is really gone when UNDEPLOYED is said');
    t.equal(await engine.end('SIGTERM'), 0);
  });

  fact(folder, '8n', { in: 'dialects', runs: true }, async (t, world) => {
    await world.worker();
    await create(world);
    await create(world, { instance: 1, image: await offer(world, 'lasts') });
    const key = world.variant.dialect === '403' ? 'cpu_percent' : 'cpu';
    const busy = await world.cluster.next('jobs/resources', (report) => {
      const entries = report['services'] as readonly Record<string, unknown>[];
      return entries.some((entry) => entry['instance'] === 1 && Number(entry[key]) > 10);
    });
    const idle = (busy['services'] as readonly Record<string, unknown>[]).find((entry) => entry['instance'] === 0);
    t.ok(Number(idle?.[key]) < 10, `the idle one: ${idle?.[key]} %`);
    const memory = world.variant.dialect === '403' ? 'memory_percent' : 'memory';
    t.ok(Number(idle?.[memory]) > 0 && Number(idle?.[memory]) < 5, `its memory: ${idle?.[memory]} %`);
  });

  fact(folder, '8o', { in: 'once', runs: true }, async (t, world) => {
    const { cluster } = world;
    await world.worker();
    const good = cluster.offer('hello.wasm', await greeting());
    const wrong = `${good.slice(0, good.indexOf('#'))}#sha256=${'0'.repeat(64)}`;
    for (const instance of [0, 1]) {
      await send(world, { instance, image: wrong });
      t.match(await status(world, 'FAILED', instance), { status_detail: /sha-?256|digest|hash/i });
    }
    const asked = Promise.withResolvers<void>();
    const server = createServer(() => asked.resolve()).listen(0, cluster.address);
    t.teardown(() => server.close(() => undefined) && server.closeAllConnections());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const hanging = await send(world, { instance: 2, image: `http://${cluster.address}:${port}/never.wasm` });
    await asked.promise;
    await create(world, { instance: 3, image: good });
    await hanging.undeploy(patience());
    t.notOk(await world.board.has(`/run/netns/${task(2)}`));
  });

  fact(folder, '8p', { in: 'topologies', runs: true }, async (t, world) => {
    await world.worker();
    for (const instance of [0, 1, 2]) {
      await create(world, { instance, port: `${8080 + instance}:80` });
      t.equal(await getFrom([], `http://${world.board.v4}:${8080 + instance}/`), hello, 'at the very moment');
      t.same(world.cluster.statuses(instance), ['CREATING', 'CREATED']);
    }
    await send(world, { instance: 3, image: await offer(world, 'fails'), oneShot: true });
    await ended(world, 3);
    await world.cluster.next('information');
    t.not(world.cluster.statuses(3).at(-1), 'CREATED');
  });

  fact(folder, '8q', { in: 'once', runs: true }, async (t, world) => {
    await writeFile('/etc/resolv.conf', 'nameserver 192.168.50.250\n');
    const { engine } = await world.worker();
    await send(world, { instance: 0, virtualization: 'nonsense' });
    await status(world, 'FAILED', 0);
    const unresolved = await send(world, { instance: 1, image: 'http://name.invalid/x.wasm' });
    await create(world, { instance: 2 });
    await unresolved.undeploy(patience());
    t.ok(engine.runs());
    t.match(await run(...world.board.here, 'ls', '/run/netns'), task(2));
  });
});
