import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import t from 'tap';
import { startCluster } from '../../../support/cluster/engine.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { createDaemon, fetchText, fixture, noWasmtime } from '../support/daemon.ts';
import { hello, job, processes, service } from '../support/jobs.ts';
import { type NetManagerKind, startNetManager } from '../support/net-manager.ts';
import { until } from '../support/until.ts';

const execute = promisify(execFile);
const ip = (...args: readonly string[]) => execute('ip', args);
const skip = noWasmtime;

/** A worker beside a NetManager of some kind. */
const beside = async (kind: NetManagerKind) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const daemon = stack.use(await createDaemon(cluster.port));
  const network = stack.use(await startNetManager(daemon.socket, kind));
  daemon.start();
  await cluster.subscribed();
  const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
  const deploy = (more: Record<string, unknown> = {}) => cluster.send('deploy', job(image, more));
  const remove = async (instance = 0) => {
    await cluster.send('delete', { job_name: service, instance_number: instance });
    await cluster.status('UNDEPLOYED', instance);
  };
  const parts = { cluster, daemon, network, deploy, remove };
  const all = stack.move();
  return { ...parts, [Symbol.asyncDispose]: () => all.disposeAsync() };
};

type Worker = Awaited<ReturnType<typeof beside>>;

/** What is left of instances: their processes, those that hold their namespaces, and their links. */
const leftovers = async ({ daemon }: Worker): Promise<readonly string[]> => {
  const links = (await readdir('/proc/sys/net/ipv4/conf')).filter((name) => /^v\d/.test(name));
  const names = await readdir('/run/netns').catch((): string[] => []);
  return [
    ...(await processes(daemon.folder)),
    ...(await processes(daemon.folder, 'OAKESTRA_NAMESPACE')),
    ...links,
    ...names,
    ...(await readdir(`${daemon.at('state')}/instances`)),
  ];
};

const statusOf = async (pid: string | undefined): Promise<string> => readFile(`/proc/${pid}/status`, 'utf8');

inSandbox(import.meta.url, () => {
  for (const kind of ['ours', 'pull205', 'released'] as const) {
    t.test(`a service runs on port 80 beside a NetManager, ${kind}, and leaves nothing`, { skip }, async (t) => {
      await using worker = await beside(kind);
      const { cluster, daemon, network, deploy, remove } = worker;
      await deploy();
      await cluster.status('CREATED');
      t.equal(await fetchText('http://10.10.0.2/'), hello);
      const [holder] = await processes(daemon.folder, 'OAKESTRA_NAMESPACE');
      t.equal(holder === undefined, kind !== 'released', 'a process holds the namespace where NetManager makes none');
      if (holder !== undefined) {
        t.match(await statusOf(holder), /CapEff:\t0+\n/);
        const { stdout } = await execute('nsenter', [`--net=/proc/${holder}/ns/net`, 'ip', 'link', 'show', 'lo']);
        t.match(stdout, /LOOPBACK,UP/);
      }
      await deploy({ instance_number: 1, port: '8081, 53:53/udp,' });
      await cluster.status('CREATED', 1);
      const asked = network.calls.at(-1)?.body;
      t.match(asked, { instanceNumber: 1, portMappings: '8081:8081/tcp;53:53/udp' }, 'as every NetManager reads it');
      if (kind === 'released') t.equal(network.count('/wasm/deploy'), 1, 'what NetManager knows is asked once');
      await remove();
      t.equal(await fetchText('http://10.10.1.2:8081/'), hello, 'the other one stays');
      t.equal(await daemon.end('SIGKILL'), null);
      daemon.start();
      await cluster.reported(1);
      await remove(1);
      t.same(await leftovers(worker), []);
      t.equal(network.count('/docker/undeploy'), kind === 'released' ? 2 : 0);
      t.same(cluster.violations, []);
    });

    if (kind === 'pull205') continue;
    t.test(`an instance whose network is gone is DEAD and not RUNNING, ${kind}`, { skip }, async (t) => {
      await using worker = await beside(kind);
      const { cluster, deploy, remove } = worker;
      await deploy();
      await deploy({ instance_number: 1 });
      await cluster.status('CREATED', 0);
      await cluster.status('CREATED', 1);
      await cluster.reported(0, 1);
      await ip('link', 'del', 'v0');
      await cluster.reported(1);
      t.match(await cluster.status('DEAD'), { status_detail: /network is gone: .*no address/ });
      t.equal(await fetchText('http://10.10.1.2/'), hello);
      await ip('link', 'set', 'v1', 'down');
      await ip('route', 'add', 'unreachable', '10.10.1.0/24');
      t.match(await cluster.status('DEAD', 1), { status_detail: /10\.10\.1\.2 cannot be reached/ });
      await ip('route', 'del', 'unreachable', '10.10.1.0/24');
      t.same(await leftovers(worker), []);
      await deploy();
      await until(async () => cluster.statuses(0).at(-1) === 'CREATED', 'a new start', AbortSignal.timeout(120_000));
      await remove();
    });
  }

  t.test('what breaks a deployment off leaves no process that holds a namespace', { skip }, async (t) => {
    await using worker = await beside('released');
    const { cluster, daemon, network } = worker;
    await cluster.send('deploy', job(`http://127.0.0.1:${cluster.port}/nowhere`));
    await cluster.status('FAILED');
    t.same(await leftovers(worker), []);
    network.refuse('/container/deploy', { status: 500, text: '' });
    await worker.deploy({ instance_number: 1 });
    t.match(await cluster.status('FAILED', 1), { status_detail: /refused the network with 500/ });
    t.same(await leftovers(worker), []);
    network.refuse('/container/deploy', undefined);
    cluster.serve('never', () => undefined);
    await cluster.send('deploy', job(`http://127.0.0.1:${cluster.port}/never`, { instance_number: 2 }));
    const joined = async () => existsSync('/proc/sys/net/ipv4/conf/v2');
    await until(joined, 'a namespace that is joined', AbortSignal.timeout(120_000));
    await daemon.end('SIGKILL');
    t.equal((await processes(daemon.folder, 'OAKESTRA_NAMESPACE')).length, 1);
    daemon.start();
    await cluster.status('FAILED', 2);
    await until(async () => (await leftovers(worker)).length === 0, 'the end of it', AbortSignal.timeout(120_000));
  });

  t.test('UNDEPLOYED is said when the network is gone, however often that is refused', { skip }, async (t) => {
    await using worker = await beside('ours');
    const { cluster, daemon, network, deploy } = worker;
    await deploy();
    await cluster.status('CREATED');
    network.refuse('/wasm/undeploy', { status: 500, text: 'not now' });
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    const asked = (times: number) =>
      until(async () => network.count('/wasm/undeploy') >= times, 'more requests', AbortSignal.timeout(120_000));
    await asked(3);
    t.notOk(cluster.statuses(0).includes('UNDEPLOYED'));
    t.equal(await daemon.end('SIGTERM'), 0);
    t.same((await readdir(`${daemon.at('state')}/instances`)).length, 1, 'what is owed is remembered');
    daemon.start();
    await asked(network.count('/wasm/undeploy') + 2);
    network.refuse('/wasm/undeploy', undefined);
    await until(async () => (await leftovers(worker)).length === 0, 'the end of it', AbortSignal.timeout(120_000));
  });

  t.test('a NetManager that was replaced by another one is asked what it knows', { skip }, async (t) => {
    await using worker = await beside('released');
    const { cluster, daemon, network, deploy, remove } = worker;
    await deploy();
    await cluster.status('CREATED');
    await network[Symbol.asyncDispose]();
    await using other = await startNetManager(daemon.socket, 'ours');
    await remove();
    await deploy({ instance_number: 1 });
    await cluster.status('CREATED', 1);
    t.ok(other.count('/register') >= 1, 'told who the worker is');
    t.equal(other.count('/wasm/deploy'), 1);
    other.forget();
    await deploy({ instance_number: 2 });
    await cluster.status('CREATED', 2);
    t.ok(other.count('/register') >= 2, 'one that has forgotten the worker is told again');
    await remove(1);
    await remove(2);
    t.same(await leftovers(worker), []);
  });
});
