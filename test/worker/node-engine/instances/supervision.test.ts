import { once } from 'node:events';
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { caughtUp } from '../../../support/caught-up.ts';
import { startCluster } from '../../../support/cluster/engine.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { createDaemon, fetchText, fixture, noWasmtime } from '../support/daemon.ts';
import { hello, job, processes, service } from '../support/jobs.ts';
import { startNetManager } from '../support/net-manager.ts';
import { writeProgram } from '../support/programs.ts';
import { until } from '../support/until.ts';

const skip = noWasmtime;

/** A worker with one running instance. */
const running = async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const daemon = stack.use(await createDaemon(cluster.port));
  const network = stack.use(await startNetManager(daemon.socket));
  daemon.start();
  await cluster.subscribed();
  const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
  await cluster.send('deploy', job(image));
  await cluster.status('CREATED');
  const [pid = ''] = await processes(daemon.folder);
  const remove = async () => {
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    await cluster.status('UNDEPLOYED');
  };
  const parts = { cluster, daemon, network, image, pid: Number(pid), remove };
  const all = stack.move();
  return { ...parts, [Symbol.asyncDispose]: () => all.disposeAsync() };
};

/** Has a worker begin to download its instance 1, which never ends. */
const downloading = async ({ cluster }: Awaited<ReturnType<typeof running>>): Promise<void> => {
  const asked = Promise.withResolvers<void>();
  cluster.serve('never', () => asked.resolve());
  await cluster.send('deploy', job(`http://127.0.0.1:${cluster.port}/never`, { instance_number: 1 }));
  await asked.promise;
};

inSandbox(import.meta.url, () => {
  t.test('an instance that ends is reported DEAD once, cleaned up, and may come again', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, image, pid } = worker;
    process.kill(pid, 'SIGKILL');
    t.match(await cluster.status('DEAD'), { status_detail: 'wasmtime was ended by SIGKILL' });
    t.same(await readdir('/run/netns'), []);
    const heard = cluster.messages.length;
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    await cluster.status('UNDEPLOYED');
    await cluster.send('deploy', job(image, { instance_number: 1 }));
    await cluster.reported(1);
    const later = cluster.messages.slice(heard).filter(({ topic }) => topic.endsWith('/resources'));
    t.notMatch(JSON.stringify(later), '"instance":0', 'an ended instance is never reported');
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'DEAD', 'UNDEPLOYED']);
    t.same(cluster.violations, []);
    await cluster.send('delete', { job_name: service, instance_number: 1 });
    await cluster.status('UNDEPLOYED', 1);
    t.same(await processes(daemon.folder), []);
  });

  t.test('two engines never work on one state', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, pid, remove } = worker;
    const first = daemon.start();
    t.same(await once(first, 'exit'), [1, null]);
    await caughtUp();
    t.match(daemon.log(), /another NodeEngine works in .*state; stop it/);
    t.same(await processes(daemon.folder), [String(pid)]);
    await remove();
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
  });

  t.test('a killed engine takes its instances over', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, image, pid, remove } = worker;
    // a status that is not acknowledged yet is told again by the next engine
    const reports = () => readdir(daemon.at('state/reports'));
    await until(async () => (await reports()).length === 0, 'acknowledgement', AbortSignal.timeout(10_000));
    await daemon.end('SIGKILL');
    t.equal(await fetchText('http://10.10.0.2/'), hello, 'the instance does not need the engine');
    daemon.start();
    t.match(await cluster.reported(0), { body: { services: [{ job_name: service, instance: 0 }] } });
    await cluster.send('deploy', job(image));
    await cluster.reported(0);
    t.same(await processes(daemon.folder), [String(pid)], 'it is neither started again nor doubled');
    t.same(cluster.statuses(), ['CREATING', 'CREATED']);
    process.kill(pid, 'SIGKILL');
    t.match(await cluster.status('DEAD'), { status_detail: /ended unobserved/ });
    await remove();
    t.same(await readdir('/run/netns'), []);
    t.same(cluster.violations, []);
  });

  t.test('an instance that ended meanwhile is cleaned up and reported', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, pid } = worker;
    t.equal(await daemon.end('SIGTERM'), 0);
    t.equal(await fetchText('http://10.10.0.2/'), hello, 'stopping the engine leaves instances running');
    process.kill(pid, 'SIGKILL');
    daemon.start();
    t.match(await cluster.status('DEAD'), { status_detail: /while the engine was not running/ });
    t.same(await readdir('/run/netns'), []);
    t.same(await readdir(`${daemon.at('state')}/instances`), []);
  });

  t.test('a lost connection is made again and instances stay', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, network, pid, remove } = worker;
    cluster.hangUp();
    await cluster.until(() => cluster.registrations[1], 'second registration');
    await cluster.reported(0);
    t.same(await processes(daemon.folder), [String(pid)]);
    const told = new Set(
      network.calls.filter(({ path }) => path === '/register').map(({ body }) => JSON.stringify(body)),
    );
    t.equal(told.size, 1, 'NetManager is told the same as before, if at all');
    await remove();
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
  });

  t.test('an instance that does not listen is killed', { skip }, async (t) => {
    await using worker = await running();
    process.kill(worker.pid, 'SIGSTOP');
    await worker.remove();
    t.same(worker.cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
    t.same(await processes(worker.daemon.folder), []);
  });

  t.test('output is small whatever lies in its way, and never goes where a link points', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, image, remove } = worker;
    const log = (instance: number) => join(daemon.logs, `${service}.instance.${instance}`);
    const precious = daemon.at('precious');
    await writeFile(precious, 'precious');
    await symlink(precious, log(1));
    await mkdir(log(2));
    for (const instance of [1, 2]) {
      await cluster.send('deploy', job(image, { instance_number: instance, port: '' }));
      await cluster.status('CREATED', instance);
      t.ok((await lstat(log(instance))).isFile(), 'a log is a file of its own');
      await cluster.send('delete', { job_name: service, instance_number: instance });
      await cluster.status('UNDEPLOYED', instance);
    }
    t.equal(await readFile(precious, 'utf8'), 'precious');
    await remove();
  });

  t.test('a program that writes without end fills no disk, with or without an engine', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, remove } = worker;
    const log = join(daemon.logs, `${service}.instance.1`);
    const sizes = async () =>
      (await Promise.all([log, `${log}.1`].map((file) => stat(file).catch(() => undefined)))).map((one) => one?.size);
    const isFull = async () => ((await sizes())[1] ?? 0) > 5_000_000;
    const isSmall = async () => (await sizes()).reduce<number>((sum, size = 0) => sum + size, 0) <= 20_000_000;
    const image = `file://${await writeProgram(daemon.folder, 'shouts')}`;
    await cluster.send('deploy', job(image, { instance_number: 1, port: '' }));
    await cluster.status('CREATED', 1);
    await until(isFull, 'second file', AbortSignal.timeout(120_000));
    t.ok(await isSmall());
    await daemon.end('SIGKILL');
    const { ino } = await stat(`${log}.1`);
    await until(async () => (await stat(`${log}.1`)).ino !== ino, 'further output', AbortSignal.timeout(120_000));
    t.ok(await isSmall());
    daemon.start();
    await cluster.reported(0, 1);
    await cluster.send('delete', { job_name: service, instance_number: 1 });
    await cluster.status('UNDEPLOYED', 1);
    t.ok(await isSmall());
    await remove();
  });

  t.test('deleting breaks off a deployment and is answered once', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, remove } = worker;
    await downloading(worker);
    await cluster.send('delete', { job_name: service, instance_number: 1 });
    await cluster.status('UNDEPLOYED', 1);
    t.same(cluster.statuses(1), ['CREATING', 'UNDEPLOYED']);
    await remove();
    t.same(await readdir('/run/netns'), []);
    t.same(await readdir(`${daemon.at('state')}/instances`), []);
  });

  t.test('a deployment that a stop of the engine breaks off is told as FAILED once it is back', { skip }, async (t) => {
    await using worker = await running();
    const { cluster, daemon, remove } = worker;
    await downloading(worker);
    await cluster.status('CREATING', 1);
    t.equal(await daemon.end('SIGTERM'), 0);
    daemon.start();
    t.match(await cluster.status('FAILED', 1), { status_detail: /stopped during the deployment/ });
    t.equal(await daemon.end('SIGTERM'), 0);
    daemon.start();
    await cluster.reported(0);
    t.same(cluster.statuses(1), ['CREATING', 'FAILED']);
    await remove();
    t.same(await readdir('/run/netns'), []);
    t.same(await readdir(`${daemon.at('state')}/instances`), []);
    t.same(cluster.violations, []);
  });
});
