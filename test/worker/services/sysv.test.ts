import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { startCluster } from '../../../lab/cluster/cluster.ts';
import { killAll } from '../../support/kill-all.ts';
import { withoutInit } from '../../support/orphans.ts';
import { inSandbox } from '../net-manager/sandbox.ts';
import { fetchText, fixture, noWasmtime, wasmtime } from '../node-engine/support/daemon.ts';
import { hello, processes } from '../node-engine/support/jobs.ts';
import { until } from '../node-engine/support/until.ts';
import { installWorker, overlaysWork, tell } from './board.ts';

const service = 'sysv.scripts.test.board';
const instances = () => processes(`/var/lib/oakestra/node-engine/instances/${service}`);

const netManager = (action: string) => tell('/etc/init.d/S98netmanager', action);
const nodeEngine = (action: string) => tell('/etc/init.d/S99nodeengine', action);
const logOf = (name: string) => readFile(`/var/log/oakestra/${name}.log`, 'utf8').catch(() => '');

/** The daemon that a start script's supervisor has started last. */
const daemonPid = async (name: string): Promise<number> => {
  const supervisor = (await readFile(`/run/oakestra/${name}.pid`, 'utf8')).trim();
  const children = await readFile(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8');
  return Number(children.trim().split(' ')[0] ?? 0);
};

/** The bundles that run. */
const daemons = async (): Promise<ReadonlySet<string>> => {
  const { text } = await tell('ps', '-e', '-o', 'args=');
  return new Set([...text.matchAll(/^node .*\/usr\/lib\/oakestra\/(\S+)\.cjs/gm)].map(([, name = '']) => name));
};

const configure = async (registrationPort: number, brokerPort: number, more = {}): Promise<void> => {
  const conf = {
    cluster_address: '127.0.0.1',
    cluster_port: registrationPort,
    app_logs: '/var/log/instances',
    allowed_local_hosts: ['127.0.0.1'],
  };
  const net = { NodePublicAddress: '0.0.0.0', NodePublicPort: '50103', ClusterMqttPort: String(brokerPort), ...more };
  await writeFile('/etc/oakestra/conf.json', JSON.stringify(conf));
  await writeFile('/etc/oakestra/netmanager/netcfg.json', JSON.stringify(net));
};

inSandbox(import.meta.url, async () => {
  const noBoard = overlaysWork() ? withoutInit() : 'no file system can be laid over another one here';
  const skip = noWasmtime || noBoard;

  t.test('the start scripts of both daemons', { skip }, async (t) => {
    await installWorker(wasmtime);
    t.teardown(async () => {
      if (!t.passing()) t.comment(await logOf('NetManager'), await logOf('NodeEngine'));
      await nodeEngine('stop');
      await netManager('stop');
      killAll(await instances());
    });
    const signal = AbortSignal.timeout(500_000);
    t.match(await netManager('start'), { code: 0, text: /names no cluster/ });
    t.match(await netManager('status'), { code: 3, text: /not running/ });
    t.match(await netManager('stop'), { code: 0, text: /not running/ });
    t.match(await netManager('dance'), { code: 64, text: /usage/ });
    await mkdir('/run/oakestra', { recursive: true });
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $! >/run/oakestra/NetManager.pid; exec sleep 600']);
    t.teardown(() => parent.kill());
    const isZombie = async () => {
      const pid = (await readFile('/run/oakestra/NetManager.pid', 'utf8').catch(() => '')).trim();
      return pid !== '' && /^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
    };
    await until(isZombie, 'a process that nobody waits for', signal);
    t.match(await netManager('stop'), { code: 0, text: /not running/ });

    const subnet = { address: '10.10.0.0', addressv6: 'fc00::100' };
    await using cluster = await startCluster({ listen: '127.0.0.1', advertise: '127.0.0.1', subnet, signal });
    await configure(cluster.registrationPort, cluster.brokerPort);
    t.match(await nodeEngine('start'), { code: 1, text: /needs NetManager/ });
    t.match(await netManager('start'), { code: 0, text: /Starting/ });
    t.match(await nodeEngine('start'), { code: 0, text: /Starting/ });
    t.match(await netManager('start'), { code: 0, text: /running already/ });
    for (const status of [await netManager('status'), await nodeEngine('status')])
      t.match(status, { code: 0, text: /is running/ });
    await cluster.networkReady(signal);

    const image = cluster.publishArtifact('hello.wasm', await readFile(fixture('hello-wasi-http')));
    const deployment = cluster.deploy({ service, instance: 0, image, port: '8080:80', memory: 100 });
    await deployment.status('CREATED', signal);
    const serving = async (when: string) => t.equal(await fetchText('http://127.0.0.1:8080/'), hello, when);
    await serving('deployed');

    const before = await daemonPid('NetManager');
    process.kill(before, 'SIGKILL');
    await until(async () => ![0, before].includes(await daemonPid('NetManager')), 'new NetManager', signal);
    await until(async () => /took over 1/.test(await logOf('NetManager')), 'taking over', signal);
    t.match(await logOf('NetManager'), /supervise: .* ended with 137, starting it again in 1 s/);
    await serving('after NetManager was killed');

    t.match(await nodeEngine('stop'), { code: 0, text: /Stopping/ });
    t.match(await nodeEngine('status'), { code: 3 });
    t.match(await logOf('NodeEngine'), /stopped; running instances go on/);
    await serving('without its engine');
    t.match(await netManager('restart'), { code: 0, text: /Stopping.*\n.*Starting/ });
    t.match(await nodeEngine('restart'), { code: 0, text: /not running\n.*Starting/ });
    await until(async () => /is taken over/.test(await logOf('NodeEngine')), 'taking over', signal);
    await cluster.networkReady(signal);
    await serving('after a restart of both');

    await configure(cluster.registrationPort, cluster.brokerPort, { InNodeEngine: true });
    t.match(await netManager('restart'), {
      code: 0,
      text: /Stopping NodeEngine\nStopping NetManager\n.*InNodeEngine.*\nStarting NodeEngine\n/,
    });
    t.match(await netManager('start'), { code: 0, text: /not started by itself/ });
    t.match(await nodeEngine('start'), { code: 0, text: /running already/ });
    t.match(await netManager('status'), { code: 0, text: /NodeEngine is running/ });
    await until(async () => /took over 1/.test(await logOf('NodeEngine')), 'taking over', signal);
    t.strictSame(await daemons(), new Set(['one-process']), 'both are one process');
    await serving('from one process');
    const both = await daemonPid('NodeEngine');
    process.kill(both, 'SIGKILL');
    const since = async () => (await logOf('NodeEngine')).split('ended with 137')[1] ?? '';
    await until(async () => /took over 1/.test(await since()), 'taking over after it was killed', signal);
    await serving('after it was killed');
    await until(async () => /connected to the broker at/.test(await since()), 'the engine', signal);
    await cluster.networkReady(signal);
    await deployment.undeploy(signal);
    const next = cluster.deploy({ service, instance: 1, image, port: '8081:80', memory: 100 });
    await next.status('CREATED', signal);
    t.equal(await fetchText('http://127.0.0.1:8081/'), hello, 'deployed by it');
    await next.undeploy(signal);

    t.match(await netManager('stop'), { code: 0, text: /runs in NodeEngine's process/ });
    t.match(await netManager('restart'), { code: 0, text: /Stopping NodeEngine\n.*\n.*\nStarting NodeEngine\n/ });

    await configure(cluster.registrationPort, cluster.brokerPort);
    t.match(await netManager('restart'), {
      code: 0,
      text: /Stopping NodeEngine\n.*\nStarting NetManager\nStarting NodeEngine/,
    });
    const apart = async () => (await daemons()).size === 2;
    await until(apart, 'two processes again', signal);

    await configure(cluster.registrationPort, cluster.brokerPort, { InNodeEngine: true });
    t.match(await nodeEngine('restart'), { code: 0 });
    const toldSo = async () => /a NetManager runs by itself.*restarted/.test(await logOf('NodeEngine'));
    await until(toldSo, 'what to do', signal);

    t.equal((await nodeEngine('stop')).code, 0);
    t.match(await nodeEngine('restart'), { code: 0 }, 'it needs no NetManager then');
    t.equal((await nodeEngine('stop')).code, 0);
    t.equal((await netManager('stop')).code, 0);
    await configure(cluster.registrationPort, cluster.brokerPort);
    t.match(await nodeEngine('restart'), { code: 1, text: /needs NetManager/ });
    t.same(await readdir('/run/oakestra'), []);
    t.same(await instances(), []);
    t.notMatch((await logOf('NetManager')) + (await logOf('NodeEngine')), /Warning|ERROR/);
    t.same(cluster.violations, []);
  });
});
