import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { problemsOf } from '../../worker/contract/check.ts';
import { nodeFields } from '../../worker/contract/registration.ts';
import { getFrom } from '../support/network.ts';
import { writeProgram } from '../worker/node-engine/support/programs.ts';
import { fact } from './world/fact.ts';
import {
  create,
  ended,
  greeting,
  hello,
  killInstance,
  named,
  patience,
  reportOf,
  send,
  status,
} from './world/instances.ts';
import { inLab } from './world/sandbox.ts';
import { service, task, type World } from './world/world.ts';

/** How long after the delete a cluster sends the next deployment. */
const rescheduleMs = 350;

const sendDelete = ({ cluster }: World, instance: number) =>
  cluster.send(`nodes/${cluster.id}/control/delete`, {
    job_name: service,
    virtualization: 'wasm',
    instance_number: instance,
  });

inLab(import.meta.url, (folder) => {
  fact(folder, '2.1', { in: 'once', runs: true }, async (t, world) => {
    await world.worker();
    t.ok(world.cluster.connections.includes(`${world.cluster.id}-ne`));
  });

  fact(folder, '2.2', { in: 'dialects', runs: true }, async (t, world) => {
    await world.worker();
    await create(world);
    await reportOf(world);
    const { publications, subscriptions } = world.cluster;
    t.same(
      publications.filter(({ qos, retain }) => qos !== 1 || retain),
      [],
    );
    t.same(
      subscriptions.filter(({ qos }) => qos !== 1),
      [],
    );
  });

  fact(folder, '2.3', { in: 'dialects', runs: true }, async (t, world) => {
    await world.worker();
    const image = world.cluster.offer('hello.wasm', await greeting());
    const least = { job_name: service, image, virtualization: 'wasm' };
    world.cluster.sendJob({ ...least, instance_number: 0 });
    const none = { cmd: null, environment: null, port: null, memory: null, vcpus: null, one_shot: null, arch: null };
    world.cluster.sendJob({ ...least, ...none, instance_number: 1, volumes: null, future: { key: 1 } });
    await status(world, 'CREATED', 0);
    await status(world, 'CREATED', 1);
    t.same(world.cluster.statuses(1), ['CREATING', 'CREATED']);
  });

  fact(folder, '2.4', { in: 'dialects', runs: true }, async (t, world) => {
    await world.worker();
    const deployment = await create(world);
    await deployment.undeploy(patience());
    await world.cluster.next('information');
    await world.cluster.next('information');
    t.same(world.cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
    t.notOk(await world.board.has(`/run/netns/${task(0)}`));
  });

  fact(folder, '2.5', { in: 'once', runs: true, slow: 'registers at most every ten seconds' }, async (t, world) => {
    const { cluster } = world;
    await world.worker();
    const told = setInterval(() => {
      cluster.send(`nodes/${cluster.id}/control/error`, { message: 'Node not registered to the cluster' });
    }, 500);
    t.teardown(() => clearInterval(told));
    t.ok(await cluster.until('a second registration', () => cluster.registrations[1], 60_000));
  });

  fact(folder, '2.7', { in: 'dialects', runs: true }, async (t, world) => {
    const { cluster, variant } = world;
    await world.worker();
    const began = performance.now();
    for (const _ of [1, 2, 3]) {
      const message = await cluster.next('information');
      t.same(problemsOf(nodeFields(variant.dialect), message), []);
      const empty = Object.entries(message).filter(([, value]) => value === '' || value === null);
      t.same(empty, []);
    }
    const each = (performance.now() - began) / 3;
    t.ok(each > 1_000 && each < 4_000, `every ${Math.round(each)} ms`);
  });

  fact(folder, '2.8', { in: 'dialects', runs: true }, async (t, world) => {
    await world.worker();
    await Promise.all([create(world), create(world, { instance: 1 })]);
    const figure = /^\d+(\.\d+)?$/;
    const newer = world.variant.dialect === '403';
    for (const instance of [0, 1])
      t.match(await reportOf(world, instance), {
        job_name: service,
        virtualization: 'wasm',
        instance,
        disk: figure,
        logs: String,
        [newer ? 'cpu_percent' : 'cpu']: figure,
        [newer ? 'memory_percent' : 'memory']: figure,
      });
    const began = performance.now();
    await reportOf(world);
    await reportOf(world);
    t.ok(performance.now() - began < 8_000, 'every two seconds');
    t.same(world.cluster.violations, []);
  });

  fact(folder, '2.9', { in: 'once', runs: true }, async (t, world) => {
    await world.worker();
    await create(world);
    const file = join(world.board.logs, task(0));
    await writeFile(file, `${'x'.repeat(5_000)} the end`, { flag: 'a' });
    const report = await world.cluster.next('jobs/resources', (message) =>
      JSON.stringify(message).includes(' the end'),
    );
    const [entry] = report['services'] as readonly { logs: string }[];
    t.equal(Buffer.byteLength(entry?.logs ?? ''), 1024);
    t.match(entry?.logs, /^x+ the end$/);
  });

  fact(folder, '2.10', { in: 'once', runs: true }, async (t, world) => {
    await world.worker();
    await create(world);
    await create(world, { instance: 1 });
    await reportOf(world, 0);
    await killInstance(world);
    await status(world, 'DEAD');
    const heard = world.cluster.heard('jobs/resources').length;
    await reportOf(world, 1);
    await reportOf(world, 1);
    const later = world.cluster.heard('jobs/resources').slice(heard);
    t.notOk(later.some((report) => named(report).includes(0)));
  });

  fact(folder, '2.11', { in: 'dialects', runs: true }, async (t, world) => {
    await world.worker();
    await create(world);
    const image = `http://${world.cluster.address}:${world.cluster.registrationPort}/nothing.wasm`;
    await send(world, { instance: 1, image });
    t.match(await status(world, 'FAILED', 1), { sname: service, status_detail: /./, publicip: String });
    t.same(world.cluster.statuses(0), ['CREATING', 'CREATED']);
    t.same(world.cluster.statuses(1), ['CREATING', 'FAILED']);
    t.notOk(await world.board.has(`/run/netns/${task(1)}`), 'nothing is left of it');
  });

  fact(folder, '2.12', { in: 'dialects', runs: true }, async (t, world) => {
    const { cluster } = world;
    await world.worker();
    const control = `nodes/${cluster.id}/control`;
    for (const nonsense of ['', '{', 'null', '[]', '"x"', '{"job_name":7}', '{"job_name":""}', 'x'.repeat(100_000)])
      for (const order of ['deploy', 'delete', 'error']) cluster.send(`${control}/${order}`, nonsense);
    const deployment = await create(world, { port: '80:80' });
    await killInstance(world);
    await status(world, 'DEAD');
    await deployment.undeploy(patience());
    t.same(cluster.violations, []);
  });

  fact(folder, '2.13', { in: 'dialects', runs: true }, async (t, world) => {
    await world.worker();
    const program = async (name: 'succeeds' | 'fails') =>
      world.cluster.offer(`${name}.wasm`, await readFile(await writeProgram(world.board.logs, name)));
    await create(world);
    await killInstance(world);
    t.match(await status(world, 'DEAD', 0), { status_detail: /./ });
    await send(world, { instance: 1, image: await program('succeeds'), oneShot: true });
    await status(world, 'COMPLETED', 1);
    await send(world, { instance: 2, image: await program('fails'), oneShot: true });
    // How early it is seen to end decides whether the deployment is said to have failed.
    await ended(world, 2);
    t.notOk(world.cluster.statuses(2).includes('COMPLETED'));
  });

  fact(folder, '2.14', { in: 'once', runs: true }, async (t, world) => {
    await world.worker();
    await create(world, { port: '80:80' });
    await killInstance(world);
    await status(world, 'DEAD');
    sendDelete(world, 0);
    await pause(rescheduleMs);
    const again = await send(world, { port: '80:80' });
    await again.status('CREATED', patience());
    await reportOf(world);
    t.equal(await getFrom([], `http://${world.board.v4}/`), hello);
  });

  fact(folder, '2.15', { in: 'topologies', runs: true }, async (t, world) => {
    await world.worker();
    await create(world, { instance: 5 });
    t.ok(await world.board.has(`/run/netns/${task(5)}`));
    t.match(await readFile(join(world.board.logs, task(5)), 'utf8'), /./);
  });
});
