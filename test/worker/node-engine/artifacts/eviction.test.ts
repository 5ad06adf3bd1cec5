import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { CacheClock, pruneFolder } from '../../../../worker/node-engine/artifacts/cache-folder.ts';
import { selectEvictions } from '../../../../worker/node-engine/artifacts/eviction.ts';

const seeded = { seed: 20_260_803, numRuns: 1000 };

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
