import fc from 'fast-check';
import t from 'tap';
import { batched } from '../../../worker/system/batched.ts';

t.test('every item is worked on once and gets its own result, or hears how its batch failed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(fc.boolean(), { maxLength: 30 }), async (scheduler, fails) => {
      const worked: number[] = [];
      let underWay = 0;
      let together = 0;
      const add = batched(async (items: readonly number[]) => {
        underWay += 1;
        together = Math.max(together, underWay);
        await scheduler.schedule(Promise.resolve());
        worked.push(...items);
        underWay -= 1;
        if (items.some((item) => fails[item])) throw new Error(items.join());
        return items.map((item) => -item);
      });
      const results = Promise.allSettled(
        fails.map((_, item) => scheduler.schedule(Promise.resolve()).then(() => add(item))),
      );
      await scheduler.waitFor(results);
      for (const [item, result] of (await results).entries()) {
        const batch = result.status === 'rejected' ? String((result.reason as Error).message).split(',') : undefined;
        if (fails[item] && batch === undefined) return false;
        if (batch && !batch.includes(String(item))) return false;
        if (result.status === 'fulfilled' && result.value !== -item) return false;
      }
      return together <= 1 && worked.length === fails.length && new Set(worked).size === fails.length;
    }),
    { seed: 20_261_123, numRuns: 300 },
  );
});

t.test('what is asked for meanwhile is done together', async (t) => {
  const batches: (readonly number[])[] = [];
  const add = batched(async (items: readonly number[]) => {
    batches.push(items);
    return items;
  });
  await Promise.all([1, 2, 3].map(add));
  t.same(batches, [[1, 2, 3]]);
});
