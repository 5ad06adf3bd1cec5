import { deadline, until } from '../../lab/system/wait.ts';
import { getFrom } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { create, ended, greeting, hello, killInstance, patience, status } from './world/instances.ts';
import { inLab } from './world/sandbox.ts';
import { service, task, type World } from './world/world.ts';

const goneMs = 10_000;

const request = { job_name: service, virtualization: 'wasm', instance_number: 0 };

const jobOf = async ({ cluster }: World, more: Record<string, unknown> = {}) => ({
  ...{ ...request, image: cluster.offer('hello.wasm', await greeting()), memory: 100 },
  ...more,
});

/** Waits until an instance's namespace is gone. */
const gone = async ({ board }: World, instance = 0): Promise<void> => {
  const left = async () => ((await board.has(`/run/netns/${task(instance)}`)) ? undefined : true);
  await until(left, deadline(goneMs, `the end of the namespace of instance ${instance}`));
};

/** Sends an order to a worker whose engine is killed as soon as it has acknowledged that, and begins anew. */
const killedAfter = async (world: World, kind: 'deploy' | 'delete', order: unknown): Promise<readonly unknown[]> => {
  const { manager, engine } = await world.worker();
  if (kind === 'delete') await create(world);
  // nothing can be carried out meanwhile
  manager.pause();
  await world.cluster.order(kind, order);
  await engine.end('SIGKILL');
  const said = world.cluster.statuses();
  manager.resume();
  await world.startNodeEngine();
  return said;
};

inLab(import.meta.url, (folder) => {
  fact(folder, '2.22', { in: 'once', runs: true }, async (t, world) => {
    const { cluster } = world;
    const { engine } = await world.worker();
    await Promise.all([create(world), create(world, { instance: 1 })]);
    await cluster.stopBroker();
    await killInstance(world);
    // a worker may clean up at once, and has noticed the end then
    await gone(world).catch((error: unknown) => t.comment(String(error)));
    await killInstance(world, 1);
    await engine.end('SIGKILL');
    await cluster.startBroker();
    await world.startNodeEngine();
    for (const instance of [0, 1]) t.ok(await ended(world, instance));
  });

  fact(folder, '2.23', { in: 'topologies', runs: true }, async (t, world) => {
    const said = await killedAfter(world, 'delete', request);
    t.same(said, ['CREATING', 'CREATED'], 'not said before it is true');
    await status(world, 'UNDEPLOYED');
    t.notOk(await world.board.has(`/run/netns/${task(0)}`), 'nothing is left when it is said');
  });

  fact(folder, '2.24', { in: 'topologies', runs: true }, async (t, world) => {
    const { board, cluster } = world;
    await killedAfter(world, 'deploy', await jobOf(world, { port: '80:80' }));
    const words = ['CREATED', 'FAILED'];
    const { status: word } = await cluster.until('the outcome', () =>
      cluster.heard('job').find((job) => job['instance'] === 0 && words.includes(String(job['status']))),
    );
    if (word === 'CREATED') t.equal(await getFrom([], `http://${board.v4}/`), hello);
    else await gone(world);
    await create(world, { instance: 1 });
    t.match(cluster.statuses().at(-1), word, 'and that remains so');
  });

  fact(folder, '2.25', { in: 'once', runs: true }, async (t, world) => {
    const { cluster } = world;
    const { engine } = await world.worker();
    await cluster.order('deploy', await jobOf(world), true);
    await status(world, 'CREATED');
    await cluster.order('delete', request);
    await status(world, 'UNDEPLOYED');
    const before = cluster.statuses().length;
    await engine.end('SIGKILL');
    await world.startNodeEngine();
    await cluster.next('information');
    // what the broker has retained comes before this one
    const other = await create(world, { instance: 1 });
    await other.undeploy(patience());
    const later = cluster.statuses().slice(before);
    t.notOk(later.includes('CREATING') || later.includes('CREATED'), `said after the delete: ${later.join()}`);
    t.notOk(await world.board.has(`/run/netns/${task(0)}`));
  });
});
