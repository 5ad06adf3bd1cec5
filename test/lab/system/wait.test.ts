import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { StallWatch } from '../../../lab/system/stalls.ts';
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

/** Nothing else of this process runs meanwhile, as when the computer stands still. */
const standStill = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

t.test('a computer that stands still uses up no deadline', async (t) => {
  const { signal } = extendableDeadline(1300, 'the work');
  standStill(2500);
  await pause(20);
  t.notOk(signal.aborted, 'there is time left for what came meanwhile');
  await t.rejects(pause(60_000, undefined, { signal }), { cause: { message: 'the work timed out after 1 s' } });
});

t.test('it is known when and for how long the computer stood still', async (t) => {
  using watch = new StallWatch();
  await pause(100);
  const before = performance.now();
  standStill(800);
  const after = performance.now();
  t.ok(watch.between(before - 100, after) >= 600, 'also when nothing has run since');
  await pause(100);
  t.ok(watch.between(before - 100, performance.now()) >= 600);
  const half = watch.between(before + 400, after);
  t.ok(half >= 300 && half <= after - before - 400, `${half} ms of the second half`);
});
