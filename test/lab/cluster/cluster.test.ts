import { createHash } from 'node:crypto';
import t from 'tap';
import { type ClusterOptions, startCluster } from '../../../lab/cluster/cluster.ts';
import type { ClusterMessage } from '../../../lab/cluster/messages.ts';
import { covers } from '../../../lab/cluster/worker.ts';
import { updatesTopic } from '../../../worker/contract/topics.ts';
import {
  connect,
  deployedMessage,
  fields403,
  joinAsWorker,
  postRegistration,
  resourcesMessage,
  service,
} from './fake-worker.ts';

const subnet = { address: '10.10.0.0', addressv6: 'fc00::' };
const soon = () => AbortSignal.timeout(120_000);

const open = async (stack: AsyncDisposableStack, more: Partial<ClusterOptions> = {}) =>
  stack.use(await startCluster({ listen: '127.0.0.1', advertise: '10.0.2.2', subnet, ...more }));

t.test('a worker registers and is answered its id and the broker', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  const answer = await postRegistration(cluster, fields403);
  t.equal(answer.status, 200);
  const body = (await answer.json()) as Record<string, string>;
  t.match(body['id'], /^[0-9a-f]{24}$/);
  t.equal(body['MQTT_BROKER_PORT'], String(cluster.brokerPort));
  const worker = await cluster.registered(soon());
  t.match(worker, { id: body['id'], host: 'board', architecture: 'arm64' });
  t.equal(worker.fields['memory'], 900);
  const again = (await (await postRegistration(cluster, fields403)).json()) as Record<string, string>;
  t.equal(again['id'], body['id'], 'a host keeps its identity');
  t.strictSame(cluster.violations, []);
});

t.test('a deployment from deploy to undeploy', async (t) => {
  await using stack = new AsyncDisposableStack();
  const seen: ClusterMessage[] = [];
  const cluster = await open(stack, { onMessage: (entry) => seen.push(entry) });
  const ready = cluster.networkReady(soon());
  const { id, manager, engine, engineTopic, netTopic, subnet: given, job } = await joinAsWorker(cluster, stack);
  t.strictSame(given, subnet);
  await ready;

  const deployment = cluster.deploy({ service, instance: 0, image: 'http://x/y.wasm', port: '80:8080', memory: 64 });
  t.match(await engine.next(engineTopic.deploy), {
    job_name: service,
    instance_number: 0,
    image: 'http://x/y.wasm',
    virtualization: 'wasm',
    port: '80:8080',
    memory: 64,
    one_shot: false,
    instance_list: [{ worker_id: id, host_ip: '10.0.2.15' }],
  });
  await job('CREATING');
  await manager.send(netTopic.serviceDeployed, deployedMessage);
  t.strictSame(await deployment.address(soon()), { v4: '10.10.0.2', v6: 'fc00::2' });
  await job('CREATED');
  t.match(await deployment.status('CREATED', soon()), { sname: service, status: 'CREATED' });
  t.match(await deployment.status('CREATING', soon()), { status: 'CREATING' }, 'a status that was seen is found');
  await engine.send(engineTopic.information, { cpu_percent: 4, memory: 800 });
  await engine.send(engineTopic.resources, resourcesMessage());
  t.match(await deployment.resources(soon()), { cpu_percent: '1.2' });

  const gone = deployment.undeploy(soon());
  t.strictSame(await engine.next(engineTopic.delete), {
    job_name: service,
    virtualization: 'wasm',
    instance_number: 0,
  });
  await job('UNDEPLOYED');
  await gone;
  t.strictSame(cluster.violations, []);
  const topics = deployment.history.map(({ topic }) => topic.split('/').slice(2).join('/'));
  t.strictSame(topics, [
    'control/deploy',
    'job',
    'net/service/deployed',
    'job',
    'jobs/resources',
    'control/delete',
    'job',
  ]);
  const times = deployment.history.map(({ ms }) => ms);
  t.strictSame(
    times,
    times.toSorted((a, b) => a - b),
  );
  t.ok(seen.length > deployment.history.length, 'the owner hears of registration and information, too');
});

t.test('a wait fails at once with the detail when the instance fails', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  const { job } = await joinAsWorker(cluster, stack);
  const deployment = cluster.deploy({ service, instance: 0, image: 'http://x/y.wasm' });
  const waits = [deployment.status('CREATED', soon()), deployment.address(soon()), deployment.resources(soon())];
  const outcome = Promise.allSettled(waits);
  await job('FAILED', 'download: 404');
  for (const settled of await outcome)
    t.match(settled, { status: 'rejected', reason: { name: 'ClusterWaitError', message: /FAILED: download: 404/ } });
  t.match(await deployment.status('FAILED', soon()), { status_detail: 'download: 404' });
});

t.test('a wait ends with its deadline and names what it waited for', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  await t.rejects(cluster.registered(AbortSignal.abort(new Error('deadline'))), {
    message: 'waiting for a worker to register: deadline',
  });
  const waiting = t.rejects(cluster.registered(soon()), { message: /the cluster was closed/ });
  await stack.disposeAsync();
  await waiting;
  t.throws(() => cluster.deploy({ service, instance: 0, image: 'x' }), /no worker has registered/);
});

t.test('messages that break the contract are violations', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  const { id, manager, engine, engineTopic, netTopic, job } = await joinAsWorker(cluster, stack);
  const deployment = cluster.deploy({ service, instance: 0, image: 'x' });
  const violates = async (what: string, pattern: RegExp, send: () => Promise<unknown>) => {
    const from = cluster.violations.length;
    await send();
    t.match(
      cluster.violations
        .slice(from)
        .map(({ problem }) => problem)
        .join('\n'),
      pattern,
      what,
    );
  };
  await violates('a topic of nobody', /no topic/, () => engine.send(`nodes/${id}/other`, {}));
  await violates('not JSON', /must be object/, () => engine.send(engineTopic.information, 'nonsense'));
  await violates('an empty field', /'ip' is empty/, () => engine.send(engineTopic.information, { id, ip: '' }));
  await violates('no runtime', /virtualization/, () => engine.send(engineTopic.information, { virtualization: [] }));
  await violates('a status unknown to clusters', /status/, () => job('STARTED'));
  await violates('numbers for texts', /cpu_percent/, () =>
    engine.send(engineTopic.resources, { services: [{ ...resourcesMessage().services[0], cpu_percent: 1 }] }),
  );
  await violates('an instance of nobody', /unknown instance a\.b\.c\.d\.instance\.0/, () =>
    engine.send(engineTopic.resources, resourcesMessage('a.b.c.d')),
  );
  t.match(await engine.next(engineTopic.delete), { job_name: 'a.b.c.d' }, 'which the cluster has deleted');
  await violates('QoS 0', /QoS 0/, () =>
    engine.send(engineTopic.information, { cpu_percent: 1 }, 0).then(() => job('CREATING')),
  );
  await violates('retained', /retain/, () => manager.send(netTopic.interestRemove, { appname: service }, 1, true));
  await violates('the wrong client', /sent by client/, () => manager.send(engineTopic.information, { vcpus: 1 }));
  await violates('a stranger', /expected client/, async () => stack.use(await connect(cluster, 'stranger', ['any'])));
  await job('UNDEPLOYED');
  await deployment.status('UNDEPLOYED', soon());
  await violates('an ended instance', /ended instance/, () => engine.send(engineTopic.resources, resourcesMessage()));
});

t.test('the service table answers by name and by address, and tells of changes', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  const { manager, netTopic, job } = await joinAsWorker(cluster, stack);
  await manager.client.subscribeAsync('jobs/#', { qos: 1 });
  const query = async (question: { sname: string; sip: string }) => {
    await manager.send(netTopic.tableRequest, question);
    return (await manager.next(netTopic.tableResult)) as {
      app_name: string;
      instance_list: { instance_ip: string; service_ip: { IpType: string; Address: string }[] }[];
    };
  };
  cluster.deploy({ service, instance: 0, image: 'x' });
  t.match(await query({ sname: service, sip: '' }), { app_name: service, query_key: service, instance_list: [] });
  await manager.send(netTopic.serviceDeployed, deployedMessage);
  t.strictSame(await manager.next(updatesTopic(service)), { type: 'DEPLOYMENT' });
  const byName = await query({ sname: service, sip: '' });
  t.match(byName.instance_list, [{ instance_number: 0, namespace_ip: '10.10.0.2', host_port: 50_103 }]);
  const roundRobin = byName.instance_list[0]?.service_ip.find(({ IpType }) => IpType === 'RR')?.Address ?? '';
  t.match(roundRobin, /^10\.30\./);
  const byAddress = await query({ sname: '', sip: roundRobin });
  t.strictSame(byAddress.instance_list, byName.instance_list);
  t.equal(byAddress.app_name, service);
  await job('UNDEPLOYED');
  t.strictSame(await manager.next(updatesTopic(service)), { type: 'UNDEPLOYMENT' });
  t.strictSame(await manager.next(updatesTopic(roundRobin)), { type: 'UNDEPLOYMENT' });
  t.strictSame((await query({ sname: '', sip: '10.30.9.9' })).instance_list, []);
  t.strictSame(cluster.violations, []);
});

t.test('artifacts are served under the advertised address with their digest', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  const bytes = Buffer.from('\0asm component');
  const url = new URL(cluster.publishArtifact('a name.wasm', bytes));
  t.equal(url.hostname, '10.0.2.2');
  t.equal(url.hash, `#sha256=${createHash('sha256').update(bytes).digest('hex')}`);
  const here = `http://127.0.0.1:${cluster.registrationPort}`;
  const answer = await fetch(`${here}${url.pathname}`);
  t.strictSame(Buffer.from(await answer.arrayBuffer()), bytes);
  t.equal((await fetch(`${here}/artifacts/none`)).status, 404);
});

t.test('a broker that was lost comes back on its port and the worker with it', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  const { engine, engineTopic } = await joinAsWorker(cluster, stack);
  await cluster.networkReady(soon());
  const port = cluster.brokerPort;
  await cluster.stopBroker();
  await cluster.startBroker();
  t.equal(cluster.brokerPort, port);
  await cluster.networkReady(soon());
  cluster.deploy({ service, instance: 0, image: 'x' });
  t.match(await engine.next(engineTopic.deploy), { job_name: service });
});

t.test('a filter covers a topic as MQTT says', async (t) => {
  const topic = 'nodes/1/control/deploy';
  for (const filter of [topic, 'nodes/+/control/deploy', 'nodes/1/control/+', 'nodes/#', '#', `${topic}/#`])
    t.ok(covers(filter, topic), filter);
  for (const filter of ['nodes/1/control', 'nodes/+', 'nodes/2/#', '+', `${topic}/+`])
    t.notOk(covers(filter, topic), filter);
});
