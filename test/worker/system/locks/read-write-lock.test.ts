import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { ReadWriteLock } from '../../../../worker/system/locks/read-write-lock.ts';

const work = fc.record({ writes: fc.boolean(), turns: fc.nat(5), fails: fc.boolean(), after: fc.nat(3) });

t.test('a writer is alone, readers are beside each other, all come to their turn', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(work, { maxLength: 12 }), async (list) => {
      const lock = new ReadWriteLock();
      let [readers, writers, done] = [0, 0, 0];
      const run = async ({ writes, turns, fails }: (typeof list)[number]) => {
        if (writes ? readers + writers > 0 : writers > 0) throw new RangeError('not alone');
        if (writes) writers += 1;
        else readers += 1;
        for (let each = 0; each < turns; each++) await turn();
        if (writes) writers -= 1;
        else readers -= 1;
        done += 1;
        if (fails) throw new Error('planned');
      };
      const all: Promise<unknown>[] = [];
      for (const one of list) {
        for (let each = 0; each < one.after; each++) await turn();
        const begun = one.writes ? lock.withWriteLock(() => run(one)) : lock.withReadLock(() => run(one));
        all.push(
          begun.catch((error: unknown) => {
            if (error instanceof RangeError) throw error;
          }),
        );
      }
      await Promise.all(all);
      if (done !== list.length) throw new Error(`${done} of ${list.length} came to their turn`);
    }),
  );
});

t.test('readers do not wait for readers', async (t) => {
  const lock = new ReadWriteLock();
  const first = Promise.withResolvers<void>();
  const slow = lock.withReadLock(() => first.promise);
  t.equal(await lock.withReadLock(async () => 'second'), 'second');
  first.resolve();
  await slow;
});
