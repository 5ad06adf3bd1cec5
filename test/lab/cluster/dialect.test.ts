import t from 'tap';
import { type ClusterOptions, startCluster } from '../../../lab/cluster/cluster.ts';
import { fields403, postRegistration } from './fake-worker.ts';

const subnet = { address: '10.10.0.0', addressv6: 'fc00::' };

const open = async (stack: AsyncDisposableStack, more: Partial<ClusterOptions> = {}) =>
  stack.use(await startCluster({ listen: '127.0.0.1', advertise: '10.0.2.2', subnet, ...more }));

t.test('a wrong type is refused, the other dialect accepted, and both are violations', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack);
  t.equal((await postRegistration(cluster, { ...fields403, memory: '900' })).status, 500);
  t.match(cluster.violations[0]?.problem, /memory must be integer/);
  const { vcpus: _, ...without } = fields403;
  t.equal((await postRegistration(cluster, without)).status, 200);
  t.match(cluster.violations.at(-1)?.problem, /vcpus/);
  t.equal((await postRegistration(cluster, { ...fields403, host: 'another' })).status, 500);
  t.match(cluster.violations.at(-1)?.problem, /has its worker already: 'board'/);
});

t.test('a cluster of the older dialect checks the older keys', async (t) => {
  await using stack = new AsyncDisposableStack();
  const cluster = await open(stack, { dialect: '400' });
  await postRegistration(cluster, fields403);
  t.match(cluster.violations.map(({ problem }) => problem).join('\n'), /free_cores.*memory_free_in_MB.*technology/s);
  const { cpu_percent: cpu, memory_percent: memory, vcpus, memory: free, virtualization, ...rest } = fields403;
  const gpus = { gpu_cores: 0, gpu_mem_used: 0, gpu_tot_mem: 0 };
  const from = cluster.violations.length;
  const older = {
    ...rest,
    ...gpus,
    cpu,
    memory,
    free_cores: vcpus,
    memory_free_in_MB: free,
    technology: virtualization,
  };
  t.equal((await postRegistration(cluster, older)).status, 200);
  t.strictSame(cluster.violations.slice(from), []);
});
