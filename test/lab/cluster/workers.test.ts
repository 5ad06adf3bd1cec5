import fc from 'fast-check';
import t from 'tap';
import { startCluster } from '../../../lab/cluster/cluster.ts';
import { nthSubnet } from '../../../lab/cluster/subnets.ts';
import type { TableFault } from '../../../lab/cluster/table-answers.ts';
import { updatesTopic } from '../../../worker/contract/topics.ts';
import {
  deployedMessage,
  fields403,
  joinAsWorker,
  postRegistration,
  resourcesMessage,
  service,
} from './fake-worker.ts';

const soon = () => AbortSignal.timeout(120_000);
const first = { address: '10.10.0.0', addressv6: 'fd00:10::' };

/** A cluster with two workers on boards of their own. */
const open = async (stack: AsyncDisposableStack) => {
  const cluster = stack.use(
    await startCluster({ listen: '127.0.0.1', advertise: '10.0.2.2', subnet: first, hosts: ['board-1', 'board-2'] }),
  );
  const [one, two] = [await joinAsWorker(cluster, stack, 'board-1'), await joinAsWorker(cluster, stack, 'board-2')];
  for (const { manager } of [one, two]) await manager.client.subscribeAsync('jobs/#', { qos: 1 });
  return { cluster, one, two };
};

const given = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('it was given no addresses');
  return value;
};

type Worker = Awaited<ReturnType<typeof open>>['one'];

const ask = ({ manager, netTopic }: Worker, question: { readonly sname?: string; readonly sip?: string }) =>
  manager.send(netTopic.tableRequest, { sname: '', sip: '', ...question });

const answer = ({ manager, netTopic }: Worker) =>
  manager.next(netTopic.tableResult) as Promise<{ query_key: string; instance_list: Record<string, unknown>[] }>;

const says = ({ manager, netTopic }: Worker, instance: number, nsip: string, host_ip: string) =>
  manager.send(netTopic.serviceDeployed, { ...deployedMessage, instance_number: instance, nsip, host_ip });

t.test('each worker has pools of its own, and a third one is not taken', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { cluster, one, two } = await open(stack);
  t.not(one.id, two.id);
  t.strictSame(one.subnet, first);
  t.strictSame(two.subnet, { address: '10.10.0.64', addressv6: 'fd00:10::100' });
  t.equal((await postRegistration(cluster, { ...fields403, host: 'board-3' })).status, 500);
  t.match(cluster.violations.at(-1)?.problem, /has its workers already: 'board-1', 'board-2', not 'board-3'/);
  t.match(await cluster.registered(soon(), 'board-2'), { id: two.id, host: 'board-2' });
  t.throws(() => cluster.deploy({ service, instance: 0, image: 'x' }, 'board-3'), /no worker on board-3/);
});

t.test('pools follow each other without an overlap', async () => {
  const base = fc.record({
    address: fc.tuple(fc.nat(255), fc.nat(200), fc.nat(255)).map((parts) => `${parts.join('.')}.0`),
    addressv6: fc.constantFrom('fc00::', 'fc00::100', 'fd00:10::'),
  });
  const number = (address: string) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const last = (address: string) => Number.parseInt(address.split('::')[1] || '0', 16);
  fc.assert(
    fc.property(base, fc.nat(200), (subnet, n) => {
      const [here, next] = [nthSubnet(subnet, n), nthSubnet(subnet, n + 1)];
      return (
        number(next.address) - number(here.address) === 64 && last(next.addressv6) - last(here.addressv6) === 0x100
      );
    }),
  );
});

t.test(
  'a service with an instance on each board has a row of each, and everybody who asked is told of changes',
  async (t) => {
    await using stack = new AsyncDisposableStack();
    const { cluster, one, two } = await open(stack);
    cluster.deploy({ service, instance: 0, image: 'x' }, 'board-1');
    cluster.deploy({ service, instance: 1, image: 'x' }, 'board-2');
    t.match(await one.engine.next(one.engineTopic.deploy), { instance_number: 0 });
    t.match(await two.engine.next(two.engineTopic.deploy), { instance_number: 1 });
    await says(one, 0, '10.10.0.2', '192.168.77.11');
    await says(two, 1, '10.10.0.66', '192.168.77.12');
    const { service: any, instance: second } = given(cluster.addressesOf(service, 1));
    await ask(one, { sip: any.v4 });
    await ask(two, { sip: second.v6 });
    const [seen, other] = [await answer(one), await answer(two)];
    t.match(seen, { query_key: any.v4, instance_list: [{ host_ip: '192.168.77.11' }, { host_ip: '192.168.77.12' }] });
    t.strictSame(other.instance_list, seen.instance_list, 'an instance address is answered with all instances');
    t.equal(new Set(seen.instance_list.map((row) => row['instance_ip'])).size, 2);

    await two.engine.send(two.engineTopic.job, {
      sname: service,
      status: 'UNDEPLOYED',
      status_detail: '',
      instance: 1,
      publicip: '',
    });
    for (const { manager } of [one, two])
      for (const key of [any.v4, second.v6])
        t.strictSame(await manager.next(updatesTopic(key)), { type: 'UNDEPLOYMENT' });
    await ask(one, { sip: any.v4 });
    t.match((await answer(one)).instance_list, [{ instance_number: 0 }]);
    t.strictSame(cluster.violations, []);
  },
);

t.test('interest is each worker’s own, and a restarted cluster has none', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { cluster, one, two } = await open(stack);
  cluster.deploy({ service, instance: 0, image: 'x' }, 'board-1');
  for (const worker of [one, two]) {
    await ask(worker, { sname: service });
    await answer(worker);
  }
  await one.manager.send(one.netTopic.interestRemove, { appname: service });
  await says(one, 0, '10.10.0.2', '192.168.77.11');
  t.strictSame(
    await two.manager.next(updatesTopic(service)),
    { type: 'DEPLOYMENT' },
    'the other one still has its own',
  );
  await cluster.restart();
  for (const { id } of [one, two]) await cluster.registered(soon(), id === one.id ? 'board-1' : 'board-2');
});

t.test('a lost worker’s instances are nowhere, and nobody else’s are touched', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { cluster, one, two } = await open(stack);
  cluster.deploy({ service, instance: 0, image: 'x' }, 'board-1');
  cluster.deploy({ service, instance: 1, image: 'x' }, 'board-2');
  await says(one, 0, '10.10.0.2', '192.168.77.11');
  await says(two, 1, '10.10.0.66', '192.168.77.12');
  await ask(one, { sname: service });
  t.equal((await answer(one)).instance_list.length, 2);
  cluster.workerLost('board-2');
  t.strictSame(await one.manager.next(updatesTopic(service)), { type: 'UNDEPLOYMENT' });
  await ask(one, { sname: service });
  t.match((await answer(one)).instance_list, [{ instance_number: 0 }]);
});

t.test('what a worker says of another one’s instance is against the contract', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { cluster, two } = await open(stack);
  const deployment = cluster.deploy({ service, instance: 0, image: 'x' }, 'board-1');
  await two.engine.send(two.engineTopic.resources, resourcesMessage());
  t.match(cluster.violations.at(-1)?.problem, /unknown instance/);
  t.match(await two.engine.next(two.engineTopic.delete), { job_name: service }, 'it is told to end it');
  await two.job('DEAD');
  t.strictSame(deployment.statuses, [], 'which says nothing of the real one');
});

t.test('answers to table queries go wrong as they are told to', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { cluster, one } = await open(stack);
  const keys = async (fault: TableFault, ...names: readonly string[]) => {
    cluster.answerTables(fault);
    for (const sname of names) await ask(one, { sname });
  };
  const next = async () => (await answer(one)).query_key;
  await keys({ kind: 'none' }, 'a');
  t.equal(await next(), 'a');
  await keys({ kind: 'duplicate' }, 'b');
  t.strictSame([await next(), await next()], ['b', 'b']);
  await keys({ kind: 'reordered' }, 'c', 'd', 'e');
  t.strictSame([await next(), await next()], ['d', 'c']);
  await keys({ kind: 'missing' }, 'f');
  await keys({ kind: 'late', ms: 20 }, 'g');
  t.strictSame(
    [await next(), await next()],
    ['e', 'g'],
    'what was held back comes when it is over, what is missing never',
  );
  await keys({ kind: 'wrong', change: (right) => ({ ...right, query_key: 'another' }) }, 'h');
  t.equal(await next(), 'another');
});
