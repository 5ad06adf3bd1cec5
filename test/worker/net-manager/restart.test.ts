import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { readConfig } from '../../../worker/net-manager/config.ts';
import { type Journal, openJournal } from '../../../worker/net-manager/journal.ts';
import { createManager } from '../../../worker/net-manager/manager.ts';
import { consoleLog } from '../../../worker/system/log.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon } from './daemon.ts';
import { attachLab, footprint, get, run, serve } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const task = (instance: number) => `${service}.instance.${instance}`;
const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };
/** A look every 10 s, and the repair on a slow computer. */
const backWithinMs = 120_000;

inSandbox(import.meta.url, () => {
  t.before(attachLab);
  t.test('a net manager that stops while it sets its network up leaves nothing of it', async (t) => {
    const before = await footprint();
    await using cluster = await startNetCluster();
    const folder = t.testdir({ 'netcfg.json': JSON.stringify({ ClusterMqttPort: String(cluster.port) }) });
    const log = consoleLog(false);
    const written = Promise.withResolvers<void>();
    const real = await openJournal(join(folder, 'state'), log);
    const update: Journal['update'] = async (change) => {
      const saving = real.update(change);
      if (real.contents.subnet) await written.promise;
      return await saving;
    };
    const journal: Journal = Object.create(real, { update: { value: update } });
    const manager = createManager(await readConfig(folder, log.warn), journal, log);
    const refused = t.rejects(manager.register(registration));
    await until(() => journal.contents.subnet, deadline(backWithinMs, 'addresses'));
    await manager.leave();
    await manager.stop();
    written.resolve();
    await refused;
    t.same(await footprint(), before);
    t.equal(journal.contents.subnet, undefined);
  });

  t.test('a cluster that moved to another address is followed there, and instances stay', async (t) => {
    const former = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(former.port) });
    const deployment = { serviceName: service, instanceNumber: 0, portMappings: '80' };
    await daemon.post('/register', registration);
    await daemon.post('/wasm/deploy', deployment);
    using _serving = await serve(task(0), 80, 'zero');
    const before = await footprint();
    await daemon.end('SIGKILL');
    await former[Symbol.asyncDispose]();
    await using moved = await startNetCluster(undefined, { host: '127.0.0.2', port: former.port });
    await daemon.start();
    t.equal((await daemon.post('/register', { ...registration, cluster_address: '127.0.0.2' })).status, 200);
    const told = await moved.message(({ topic }) => topic === 'nodes/node1/net/service/deployed');
    t.match(told.body, { appname: service, instance_number: 0, nsip: '10.10.0.2' }, 'the cluster knows what was kept');
    t.notOk(
      moved.messages.some(({ topic }) => topic === 'nodes/node1/net/subnet'),
      'the addresses are kept',
    );
    t.equal(await get('lab', 'http://192.168.50.1:80/'), 'zero');
    // Instances are kept from the control plane at its new address.
    const rules = before.rules.replaceAll('127.0.0.1 ', '127.0.0.2 ');
    t.same(await footprint(), { ...before, rules });
    t.equal((await daemon.post('/wasm/deploy', deployment)).json()['nsAddress'], '10.10.0.2');
    t.equal((await daemon.post('/wasm/undeploy', deployment)).status, 200);
    t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  });

  t.test(
    'the broker is where the cluster says, and where netcfg.json says for an engine that does not tell',
    async (t) => {
      await using configured = await startNetCluster({ address: '10.10.1.0', addressv6: 'fc00::200' });
      await using announced = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(configured.port) });
      const deploy = async (instanceNumber: number): Promise<unknown> =>
        (await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings: '' })).json()[
          'nsAddress'
        ];
      const isSubnet = ({ topic }: { readonly topic: string }) => topic === 'nodes/node1/net/subnet';
      const told = { ...registration, broker_port: announced.port };
      t.equal((await daemon.post('/register', told)).status, 200);
      t.equal(await deploy(0), '10.10.0.2', 'the addresses are those of the broker that was told');
      t.notOk(configured.messages.some(isSubnet), 'nobody spoke to the other one');
      t.match(daemon.log(), new RegExp(`broker is at port ${announced.port}.*ClusterMqttPort.*${configured.port}`));

      await daemon.end('SIGKILL');
      await daemon.start();
      t.equal((await daemon.post('/register', told)).status, 200);
      t.equal(await deploy(1), '10.10.0.3');
      t.notOk(configured.messages.length > 0, 'nor after a restart, by the journal');

      t.equal((await daemon.post('/register', registration)).status, 200);
      const moved = await configured.message(({ topic }) => topic === 'nodes/node1/net/service/deployed');
      t.match(moved.body, { appname: service, nsip: '10.10.0.2' }, 'the cluster there learns what runs');
      for (const instanceNumber of [0, 1])
        t.equal((await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber })).status, 200);
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    },
  );

  t.test('what others break is made whole again', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), Egress: 'off' });
    const deploy = async (instanceNumber: number, portMappings: string) =>
      (await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings })).json();
    await daemon.post('/register', registration);
    await deploy(0, '80');
    await deploy(1, '81');
    using _serving = await serve(task(0), 80, 'zero');
    using _lab = await serve('lab', 9000, 'lab');
    await run('ip', '-n', 'lab', 'route', 'add', '10.10.0.0/26', 'via', '192.168.50.1');
    const outside = () => get(task(0), 'http://192.168.50.2:9000/');
    t.match(await outside(), /^failed/);
    // it would be put back while this is tried
    process.kill(daemon.pid(), 'SIGSTOP');
    await run('nft', 'flush', 'ruleset');
    t.equal(await outside(), 'lab', 'the flush took the policy away');
    process.kill(daemon.pid(), 'SIGCONT');
    const isBack = async () => (await get('lab', 'http://192.168.50.1:80/')) === 'zero' || undefined;
    await until(isBack, deadline(backWithinMs, 'a mapped port again without a deployment'));
    t.match(await outside(), /^failed/, 'what instances may reach is as configured again');
    await run('ip', '-n', 'lab', 'route', 'del', '10.10.0.0/26');
    t.match(await deploy(2, '82'), { nsAddress: '10.10.0.4' });
    for (const port of [90, 91, 92]) {
      await deploy(5, String(port));
      await run('nft', 'flush', 'ruleset');
      const undeploy = () => daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 5 });
      const [six, gone] = await Promise.all([deploy(6, '86'), undeploy()]);
      t.match([six, gone.status], [{ serviceName: service }, 200]);
      const { rules } = await footprint();
      t.match(rules, /tcp \. 86 : 10\./, 'what came during the repair is mapped');
      t.notMatch(rules, new RegExp(`tcp \\. ${port}`), 'what went during the repair is not');
      await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 6 });
    }
    await run('ip', 'netns', 'del', task(1));
    t.match(await deploy(1, '81'), { nsAddress: '10.10.0.3' }, 'an instance that lost its namespace is made anew');
    await run('nft', 'delete', 'element', 'inet', 'oakestra', 'ports4', '{ tcp . 81 }');
    for (const instanceNumber of [0, 1, 2])
      t.equal((await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber })).status, 200);
    t.notMatch((await footprint()).rules, /elements = \{ tcp/, 'no element is left');
    await daemon.end('SIGTERM');
  });

  t.test('a journal that can’t be used is said and not fatal', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.end('SIGTERM');
    for (const junk of [
      '',
      '{',
      '[]',
      '{"entries":[{}],"changed":{}}',
      '{"entries":[],"changed":{"net/../../etc/passwd":{"was":"","now":""}}}',
    ]) {
      await mkdir(join(daemon.folder, 'state'), { recursive: true });
      await writeFile(join(daemon.folder, 'state', 'journal.json'), junk);
      await daemon.start();
      t.match(daemon.log(), /WARN journal not used/);
      await daemon.end('SIGTERM');
    }
  });

  t.test('a board is given back whole however long its tools take', async (t) => {
    await using cluster = await startNetCluster();
    const folder = t.testdir({});
    const tool = (await run('which', 'ip')).trim();
    const script = `#!/bin/sh\n[ ! -e ${folder}/slow ] || sleep 1.5\nexec ${tool} "$@"\n`;
    await writeFile(join(folder, 'ip'), script, { mode: 0o755 });
    const board = async () => ({
      ...(await footprint()),
      forwarding: await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8'),
    });
    const bare = await board();
    t.equal(bare.forwarding, '0\n');
    const PATH = `${folder}:${process.env['PATH']}`;
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) }, { PATH });
    t.equal((await daemon.post('/register', registration)).status, 200);
    await writeFile(join(folder, 'slow'), '');
    t.equal(await daemon.end('SIGTERM'), 0);
    t.same(await board(), bare, daemon.log());
  });

  t.test('settings changed before a reboot are not given back after it', async (t) => {
    const found = await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8');
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.end('SIGTERM');
    const journal = {
      registration,
      subnet: { address: '10.10.0.0', addressv6: 'fc00::100' },
      topology: 'bridged',
      changed: { 'net/ipv4/ip_forward': { was: '0', now: '1' } },
      entries: [{ instance: { service, instance: 0, pid: 0, slot: 2, ports: [] }, ready: true }],
    };
    for (const [boot, left, why] of [
      ['11111111-2222-4333-8444-555555555555', '1', 'another program of this boot wants it'],
      [undefined, '0', 'an older journal does not say'],
    ] as const) {
      await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
      await mkdir(join(daemon.folder, 'state'), { recursive: true });
      await writeFile(join(daemon.folder, 'state', 'journal.json'), JSON.stringify({ ...journal, boot }));
      await daemon.start();
      t.notMatch(daemon.log(), /journal not used/);
      t.equal((await daemon.post('/register', registration)).status, 200);
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
      t.equal((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim(), left, why);
    }
    await writeFile('/proc/sys/net/ipv4/ip_forward', found);
  });

  t.test('instances go with the net manager where it is configured so', async (t) => {
    const bare = await footprint();
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), OnStop: 'remove' });
    await daemon.post('/register', registration);
    await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0, portMappings: '80' });
    t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    t.same(await footprint(), bare);
  });
});
