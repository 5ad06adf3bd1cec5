import { appendFile, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { problemsOf } from '../../../../worker/contract/check.ts';
import { ResourcesMessage400, ResourcesMessage403 } from '../../../../worker/contract/job.ts';
import { nodeFields } from '../../../../worker/contract/registration.ts';
import { CacheClock, pruneFolder } from '../../../../worker/node-engine/artifacts/cache-folder.ts';
import { selectEvictions } from '../../../../worker/node-engine/artifacts/eviction.ts';
import { nodeFieldsMessage, resourcesMessage } from '../../../../worker/node-engine/cluster/messages.ts';
import { busyPercent, nodeFacts } from '../../../../worker/node-engine/cluster/node-facts.ts';
import { Outbox } from '../../../../worker/node-engine/cluster/outbox.ts';
import { UndoStack } from '../../../../worker/node-engine/instances/undo.ts';
import { memoryBytes } from '../../../../worker/node-engine/instances/usage.ts';
import { findGroups, limitFiles } from '../../../../worker/node-engine/process/limits.ts';
import { parseProcStat, procStat } from '../../../../worker/node-engine/process/proc.ts';
import { tail } from '../../../../worker/node-engine/process/tail.ts';
import { explain } from '../../../../worker/system/explain.ts';
import { hasUsers } from '../../../../worker/system/users.ts';
import { job } from '../support/jobs.ts';

const seeded = { seed: 20_260_803, numRuns: 1000 };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

t.test('this node, as both dialects tell it', async (t) => {
  const facts = await nodeFacts()();
  const identity = { id: '', ip: '10.0.0.1', runtimes: ['wasm'] };
  for (const dialect of ['400', '403'] as const)
    t.same(problemsOf(nodeFields(dialect), nodeFieldsMessage(dialect, identity, facts)), []);
  t.ok(facts.memoryTotal > facts.memoryAvailable && facts.memoryAvailable > 0);
  t.equal(busyPercent({ busy: 10, total: 100 }, { busy: 60, total: 200 }), 50);
});

t.test('figures of instances are decimal strings in both dialects', async () => {
  const figure = fc.double({ min: 0, max: 1e9, noNaN: true });
  const usage = { job: 'a.b.c.d', instance: 0, virtualization: 'wasm', logs: '' };
  fc.assert(
    fc.property(figure, figure, (cpuPercent, memoryPercent) => {
      const instances = [{ ...usage, cpuPercent, memoryPercent }];
      return (
        problemsOf(ResourcesMessage403, resourcesMessage('403', instances)).length === 0 &&
        problemsOf(ResourcesMessage400, resourcesMessage('400', instances)).length === 0
      );
    }),
    seeded,
  );
});

t.test('a process as the kernel tells it', async (t) => {
  const line = `7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 11 22 5 6 20 0 1 0 12345 99`;
  t.same(parseProcStat(line), { state: 'S', cpuTicks: 33, start: 12_345 });
  t.ok((await procStat(process.pid))?.start);
  t.equal(await procStat(2 ** 22 + 1), undefined);
  t.ok((await memoryBytes(process.pid)) > 10_000_000);
  t.equal(hasUsers('         0       1000          1\n', 65_534, 1), false);
  t.equal(hasUsers('         0          0 4294967295\n', 65_534, 1), true);
  t.equal(hasUsers('         0     100000      65536\n', 65_534, 3), false);
});

t.test('the last bytes of a log are never half a character', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'log');
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.integer({ min: 1, max: 40 }),
      async (text, bytes) => {
        await writeFile(file, text);
        const end = await tail(file, bytes);
        return text.toWellFormed().endsWith(end) && Buffer.byteLength(end) <= bytes;
      },
    ),
    { ...seeded, numRuns: 300 },
  );
  t.equal(await tail(join(folder, 'none'), 10), '');
});

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

t.test(
  'what was not used for longest leaves a full cache, what is old leaves any, and nothing that is in use',
  async () => {
    const item = fc.record({ size: fc.nat(100), usedAt: fc.nat(1000), held: fc.boolean() });
    const budgets = fc.record({ bytes: fc.nat(1000), unusedMs: fc.nat(1500) });
    fc.assert(
      fc.property(fc.array(item), budgets, (items, budget) => {
        const cached = items.map((one, index) => ({ ...one, name: String(index) }));
        const held = new Set(cached.filter((one) => one.held).map(({ name }) => name));
        const removed = new Set(selectEvictions(cached, budget, 1000, (name) => held.has(name)));
        const left = cached.filter(({ name }) => !removed.has(name));
        const free = left.filter(({ name }) => !held.has(name));
        const bytes = left.reduce((sum, { size }) => sum + size, 0);
        const newest = Math.max(0, ...cached.filter(({ name }) => removed.has(name)).map(({ usedAt }) => usedAt));
        return (
          (bytes <= budget.bytes || free.length === 0) &&
          free.every(({ usedAt }) => usedAt >= newest && 1000 - usedAt <= budget.unusedMs) &&
          [...held].every((name) => !removed.has(name))
        );
      }),
      seeded,
    );
  },
);

t.test('a clock that is set makes nothing in a cache older than it is', async (t) => {
  const [day, budget] = [86_400_000, { bytes: 1e9, unusedMs: 30 * 86_400_000 }];
  const folder = t.testdir({ used: 'x', old: 'x' });
  const now = Date.now();
  const date = (name: string, ms: number) => utimes(join(folder, name), ms / 1000, ms / 1000);
  const prune = (clock = new CacheClock()) => pruneFolder(folder, /./, budget, () => false, clock);
  const ages = async () =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(folder)).map(async (name) => {
          const { mtimeMs } = await stat(join(folder, name));
          return [name, Math.round((Date.now() - mtimeMs) / day)];
        }),
      ),
    );
  for (const [what, years] of [
    ['it was 1970 until now', 56],
    ['the board was off for two years', 2],
    ['it was the future', -5],
  ] as const) {
    const before = now - years * 365 * day;
    await date('used', before - day);
    await date('old', before - 20 * day);
    await date('.', before);
    const engine = new CacheClock();
    await prune(engine);
    t.same(await ages(), { used: 1, old: 20 }, what);
    await date('.', before);
    await prune(engine);
    t.same(await ages(), { used: 1, old: 20 }, `${what}, and it counts once`);
  }
  await date('old', now - 31 * day);
  await date('.', now - 12 * day);
  await prune();
  t.same(await ages(), { used: 1 }, 'what is old goes');
});

t.test('a clock that is set while the engine runs makes nothing older either', async (t) => {
  const [day, budget] = [86_400_000, { bytes: 1e9, unusedMs: 30 * 86_400_000 }];
  const folder = t.testdir({ used: 'x' });
  const clock = new CacheClock();
  const unset = performance.now();
  const real = Date.now;
  t.teardown(() => {
    Date.now = real;
  });
  Date.now = () => performance.now() - unset;
  await utimes(join(folder, 'used'), 0, 0);
  await utimes(folder, 0, 0);
  await pruneFolder(folder, /./, budget, () => false, clock);
  Date.now = real;
  await pruneFolder(folder, /./, budget, () => false, clock);
  t.ok(real() - (await stat(join(folder, 'used'))).mtimeMs < day);
});

t.test('undo runs backwards, and tries a step again until it succeeds', async (t) => {
  const { signal } = new AbortController();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 3 }), { maxLength: 8 }), fc.nat(), async (steps, which) => {
      const undo = new UndoStack();
      const undone: number[] = [];
      // each failure costs a pause: one step of all fails, once
      let failing = which % (steps.length + 1);
      for (const index of steps.keys())
        undo.push(`step ${index}`, async () => {
          if (failing === index) {
            failing = -1;
            throw new Error('no');
          }
          undone.push(index);
        });
      await undo.unwind(silent, signal);
      await undo.unwind(silent, signal);
      return JSON.stringify(undone) === JSON.stringify([...steps.keys()].reverse());
    }),
    { ...seeded, numRuns: 10 },
  );
  t.pass();
});

t.test('what breaks a removal off leaves the rest of it for later', async (t) => {
  const undo = new UndoStack();
  const stopping = new AbortController();
  const undone: string[] = [];
  undo.push('first', async () => void undone.push('first'));
  undo.push('owed', async (signal) => {
    undone.push('owed');
    if (signal === stopping.signal) {
      stopping.abort(new Error('stopping'));
      signal.throwIfAborted();
    }
  });
  undo.push('last', async () => void undone.push('last'));
  await t.rejects(undo.unwind(silent, stopping.signal), { message: 'stopping' });
  t.same(undone, ['last', 'owed']);
  await undo.unwind(silent, new AbortController().signal);
  t.same(undone, ['last', 'owed', 'owed', 'first']);
});

t.test('messages arrive in order, each once, however often the line breaks', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 20 }), async (breaks) => {
      const outbox = new Outbox<number>();
      const got: number[] = [];
      const all = Promise.all(breaks.map((_, index) => outbox.put(index)));
      for (const broken of [...breaks, false]) {
        outbox.attach(async (message) => {
          if (broken) throw new Error('lost');
          got.push(message);
        });
        await new Promise(setImmediate);
        outbox.detach();
      }
      await all;
      return JSON.stringify(got) === JSON.stringify([...breaks.keys()]);
    }),
    { ...seeded, numRuns: 200 },
  );
  t.pass();
});

t.test('an error is told with its causes, each once', async (t) => {
  const cause = new Error('connect ECONNREFUSED');
  t.equal(
    explain(new Error('the cluster does not answer', { cause })),
    'the cluster does not answer: connect ECONNREFUSED',
  );
  t.equal(explain(new Error('x: connect ECONNREFUSED', { cause })), 'x: connect ECONNREFUSED');
  t.equal(explain(new AggregateError([cause], 'all failed')), 'all failed: connect ECONNREFUSED');
  t.equal(explain('SIGTERM received'), 'SIGTERM received');
});
