import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { apartFrom, extendableDeadline } from '../../../lab/system/wait.ts';

t.test('a deadline that is put off comes so much later, and says how long it was', async (t) => {
  const start = performance.now();
  const { signal, extend } = extendableDeadline(400, 'the work');
  extend(300);
  extend(300);
  await t.rejects(pause(60_000, undefined, { signal }), { cause: { message: 'the work timed out after 1 s' } });
  t.ok(performance.now() - start >= 999);
});

t.test('what takes its own time does not use up a deadline, and what is left of it counts from then on', async (t) => {
  const start = performance.now();
  const limit = extendableDeadline(500, 'the work');
  const result = await apartFrom(limit, 60_000, async () => {
    await pause(700);
    return 'done';
  });
  t.equal(result, 'done');
  t.notOk(limit.signal.aborted, 'its 500 ms are not over');
  await t.rejects(pause(60_000, undefined, { signal: limit.signal }), { cause: { message: /^the work timed out/ } });
  t.ok(performance.now() - start >= 1_199);
  const failed = extendableDeadline(300, 'the work');
  await t.rejects(
    apartFrom(failed, 60_000, () => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  await t.rejects(pause(60_000, undefined, { signal: failed.signal }), { cause: { message: /^the work timed out/ } });
});
