import t from 'tap';
import { whilePresent } from '../../../lab/scenario/services/presence.ts';
import { until } from '../../../lab/system/wait.ts';

const { signal } = new AbortController();

t.test('a worker that stays away ends the wait, as its own fault', async (t) => {
  using present = whilePresent(() => false, 1000, signal);
  await until(() => present.aborted || undefined, AbortSignal.timeout(60_000));
  t.match(present.reason, {
    fault: 'product',
    message: 'the worker has not been connected to the cluster for 1 s',
    next: [/logs NodeEngine/, /logs NetManager/],
  });
});

t.test('one that comes back in time does not', async (t) => {
  let looks = 0;
  using present = whilePresent(() => ++looks % 2 === 0, 1000, signal);
  await until(() => looks >= 6 || undefined, AbortSignal.timeout(60_000));
  t.notOk(present.aborted);
});

t.test('it ends with the signal that it was given, with its reason', (t) => {
  const interruption = new AbortController();
  using present = whilePresent(() => true, 1000, interruption.signal);
  interruption.abort(new Error('interrupted'));
  t.match(present.reason, /interrupted/);
  t.end();
});
