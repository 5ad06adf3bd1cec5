import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { noWasmtime } from '../support/daemon.ts';
import { job, processes, service } from '../support/jobs.ts';
import { startPair } from '../support/pair.ts';
import { onSmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

const skip = noWasmtime;
const task = `${service}.instance.0`;
const patience = () => AbortSignal.timeout(120_000);

inSandbox(import.meta.url, () => {
  t.test('a delete is carried out although the engine is killed meanwhile', { skip }, async (t) => {
    await using worker = await onSmallDisk();
    const { cluster, daemon, network, state } = worker;
    network.refuse('/wasm/undeploy', { status: 503, text: 'not now' });
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    const file = join(state, 'instances', `${task}.json`);
    await until(async () => (await readFile(file, 'utf8')).includes('"undeploy":true'), 'order on disk', patience());
    await daemon.end('SIGKILL');
    t.notOk(cluster.statuses().includes('UNDEPLOYED'), 'not said before it is true');
    network.refuse('/wasm/undeploy', undefined);
    daemon.start();
    await cluster.status('UNDEPLOYED');
    t.same(await readdir('/run/netns'), []);
    t.same(await processes(daemon.folder), []);
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
  });

  t.test('a deployment is refused, not kept waiting, while what was before it cannot go', { skip }, async (t) => {
    await using worker = await onSmallDisk();
    const { cluster, network, image } = worker;
    network.refuse('/wasm/undeploy', { status: 500, text: 'the link is busy' });
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    await until(async () => network.count('/wasm/undeploy') > 0, 'removal', patience());
    await cluster.send('deploy', job(image));
    t.match(await cluster.status('FAILED'), { status_detail: /instance before it is not removed yet/ });
    network.refuse('/wasm/undeploy', undefined);
    await cluster.status('UNDEPLOYED');
    await cluster.send('deploy', job(image));
    await cluster.reported(0);
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    await cluster.until(() => cluster.statuses().filter((one) => one === 'UNDEPLOYED')[1], 'second UNDEPLOYED');
    t.same(await readdir('/run/netns'), []);
  });

  t.test('a delete is never overtaken by a deployment that was ordered before it', { skip }, async (t) => {
    await using worker = await onSmallDisk();
    const { cluster, daemon, network, image } = worker;
    network.refuse('/wasm/undeploy', { status: 500, text: 'the link is busy' });
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    await until(async () => network.count('/wasm/undeploy') > 0, 'removal', patience());
    await cluster.send('deploy', job(image));
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    await cluster.send('deploy', job(image, { instance_number: 1, port: '8081:80' }));
    await cluster.status('CREATED', 1);
    network.refuse('/wasm/undeploy', undefined);
    await cluster.status('UNDEPLOYED');
    await cluster.send('deploy', job(image, { instance_number: 2, port: '8082:80' }));
    await cluster.status('CREATED', 2);
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
    t.equal((await processes(daemon.folder)).length, 2);
  });

  t.test('a deployment begins when what was before it has gone, in the order of the orders', { skip }, async (t) => {
    await using worker = await onSmallDisk();
    const { cluster, network, image } = worker;
    network.refuse('/wasm/undeploy', { status: 500, text: 'the link is busy' });
    for (const order of ['delete', 'deploy', 'delete', 'deploy', 'deploy'] as const)
      await cluster.send(order, order === 'deploy' ? job(image) : { job_name: service, instance_number: 0 });
    await until(async () => network.count('/wasm/undeploy') > 0, 'removal', patience());
    network.refuse('/wasm/undeploy', undefined);
    await cluster.until(() => cluster.statuses().filter((one) => one === 'CREATED')[1], 'second CREATED');
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED', 'CREATING', 'CREATED']);
  });

  t.test(
    'a deployment that waits for its turn is written down, and answered by the next engine',
    { skip },
    async (t) => {
      await using worker = await onSmallDisk();
      const { cluster, daemon, network, image, state } = worker;
      network.refuse('/wasm/undeploy', { status: 500, text: 'the link is busy' });
      await cluster.send('delete', { job_name: service, instance_number: 0 });
      await cluster.send('deploy', job(image));
      const file = join(state, 'instances', `${task}.json`);
      const isWritten = async () => (JSON.parse(await readFile(file, 'utf8')) as { next?: object }).next !== undefined;
      await until(isWritten, 'order on disk', patience());
      await daemon.end('SIGKILL');
      network.refuse('/wasm/undeploy', undefined);
      daemon.start();
      t.match(await cluster.status('FAILED'), { status_detail: /stopped before the deployment began/ });
      await cluster.status('UNDEPLOYED');
      await until(async () => (await readdir(join(state, 'instances'))).length === 0, 'clean state', patience());
      await cluster.send('deploy', job(image));
      await cluster.reported(0);
    },
  );

  t.test(
    'that an instance is CREATED is reported although the engine is killed before it could be',
    { skip },
    async (t) => {
      await using both = await startPair();
      const { cluster, network, engine, deploy, signal } = both;
      process.kill(network.pid(), 'SIGSTOP');
      const deployment = deploy(0);
      await deployment.status('CREATING', signal);
      await cluster.stopBroker();
      process.kill(network.pid(), 'SIGCONT');
      const reports = engine.at(`state/reports/${task}.json`);
      const isPending = async () => (await readFile(reports, 'utf8').catch(() => '')).includes('CREATED');
      await until(isPending, 'report on disk', signal);
      await engine.end('SIGKILL');
      await cluster.startBroker();
      engine.start();
      await deployment.status('CREATED', signal);
      await until(async () => !(await isPending()), 'acknowledgement', signal);
      await deployment.undeploy(signal);
      t.same(await readdir('/run/netns'), []);
    },
  );

  t.test(
    'what could not be reported while the broker was away is reported by the next engine, once',
    { skip },
    async (t) => {
      await using both = await startPair();
      const { cluster, engine, created, signal } = both;
      const [first, second] = [await created(0), await created(1)];
      const reports = async () => (await readdir(engine.at('state/reports')).catch(() => [])).length;
      await cluster.stopBroker();
      const [pid = ''] = await processes(engine.folder);
      process.kill(Number(pid), 'SIGKILL');
      await until(async () => (await reports()) === 1, 'report on disk', signal);
      await until(async () => (await readdir(engine.at('state/instances'))).length === 1, 'removal', signal);
      await engine.end('SIGKILL');
      await cluster.startBroker();
      engine.start();
      await Promise.race([first.status('DEAD', signal), second.status('DEAD', signal)]);
      await until(async () => (await reports()) === 0, 'acknowledgement', signal);
      await Promise.all([first.undeploy(signal), second.undeploy(signal)]);
      t.same(await readdir('/run/netns'), []);
      t.same(cluster.violations, []);
    },
  );

  t.test('a message that a broker has kept revives nothing', { skip }, async (t) => {
    await using worker = await onSmallDisk();
    const { cluster, daemon, image } = worker;
    await cluster.send('deploy', job(image, { instance_number: 1 }), undefined, true);
    await cluster.status('CREATED', 1);
    await cluster.send('delete', { job_name: service, instance_number: 1 });
    await cluster.status('UNDEPLOYED', 1);
    const reports = () => readdir(join(worker.state, 'reports'));
    await until(async () => (await reports()).length === 0, 'acknowledgement', patience());
    await daemon.end('SIGKILL');
    daemon.start();
    await cluster.reported(0);
    await until(async () => daemon.log().includes('a retained message'), 'log line', patience());
    t.same(cluster.statuses(1), ['CREATING', 'CREATED', 'UNDEPLOYED']);
    t.equal((await processes(daemon.folder)).length, 1);
  });

  t.test('an order that cannot be understood is no bad report about what runs under its name', { skip }, async (t) => {
    await using worker = await onSmallDisk();
    const { cluster, daemon, image } = worker;
    await cluster.send('deploy', job(image, { memory: 'much' }));
    await until(async () => /already deployed: request ignored; .*memory/.test(daemon.log()), 'log line', patience());
    await cluster.send('deploy', job(image, { instance_number: 1, memory: 'much' }));
    await cluster.status('FAILED', 1);
    t.same(cluster.statuses(), ['CREATING', 'CREATED']);
    t.equal((await processes(daemon.folder)).length, 1);
    await cluster.send('deploy', job(image, { instance_number: 2, port: '', environment: ['A=1', 'B'] }));
    const { status_detail: detail } = await cluster.status('CREATED', 2);
    t.match(detail, /environment 'B' is not K=V; left out/, 'what was left out of an order is told');
  });
});
