import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { movableDeadline } from '../../../lab/system/wait.ts';

t.test('a deadline that is put off comes so much later, and says how long it was', async (t) => {
  const start = performance.now();
  const { signal, extend } = movableDeadline(400, 'the work');
  extend(300);
  extend(300);
  await t.rejects(pause(60_000, undefined, { signal }), { cause: { message: 'the work: not within 1 s' } });
  t.ok(performance.now() - start >= 999);
});
