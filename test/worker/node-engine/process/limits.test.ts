import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { findGroups, limitFiles } from '../../../../worker/node-engine/process/limits.ts';
import { job } from '../support/jobs.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

t.test('limits of control groups', async (t) => {
  const all = new Set(['memory', 'cpu', 'pids'] as const);
  t.same(
    [...limitFiles({ ...job('/x'), memory: 100, vcpus: 0.5 }, all, 4)],
    [
      ['pids.max', '128'],
      ['memory.max', '104857600'],
      ['memory.swap.max', '0'],
      ['cpu.max', '50000 100000'],
    ],
  );
  t.equal(limitFiles({ ...job('/x'), memory: 1 }, all, 4).get('memory.max'), '67108864', 'wasmtime itself has to fit');
  t.same([...limitFiles({ ...job('/x'), memory: 0, vcpus: 0 }, all, 4).keys()], ['pids.max']);
  t.equal(
    limitFiles({ ...job('/x'), vcpus: 64 }, all, 4).get('cpu.max'),
    '400000 100000',
    'no more than the board has',
  );
  t.match(limitFiles({ ...job('/x'), memory: 1e300 }, all, 4).get('memory.max'), /^[0-9]+$/, 'what the kernel reads');
  const some = limitFiles({ ...job('/x'), memory: 100, vcpus: 1 }, new Set(['cpu'] as const), 4);
  t.same([...some.keys()], ['cpu.max'], 'only what the kernel has controllers for');

  const root = t.testdir({ 'cgroup.subtree_control': '' });
  t.equal(await findGroups(silent, root), undefined, 'no controllers, no groups');
  t.same(await readdir(root), ['cgroup.subtree_control']);
  await mkdir(join(root, 'oakestra'));
  await writeFile(join(root, 'oakestra', 'cgroup.subtree_control'), '');
  const groups = await findGroups(silent, root);
  t.same([...(groups?.controllers ?? [])], ['memory', 'cpu', 'pids']);
  const task = join(root, 'oakestra', 'a.b.c.d.instance.0');
  await mkdir(task);
  for (const name of ['memory.max', 'cpu.max', 'pids.max', 'cgroup.procs']) await writeFile(join(task, name), '');
  const group = await groups?.create('a.b.c.d.instance.0', { ...job('/x'), memory: 100, vcpus: 1 });
  await group?.enter(42);
  t.equal(await readFile(join(task, 'memory.max'), 'utf8'), '104857600');
  t.equal(await readFile(join(task, 'pids.max'), 'utf8'), '128');
  t.equal(await readFile(join(task, 'cgroup.procs'), 'utf8'), '42');
  t.equal(await group?.ranOutOfMemory(), false);
  await appendFile(join(task, 'memory.events'), 'oom 1\noom_kill 1\n');
  t.equal(await group?.ranOutOfMemory(), true);
  await groups?.group('none.none.none.none.instance.1').remove();
});
