import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { deadline } from '../../../worker/system/wait.ts';

t.test('a deadline aborts with its own reason or the one of what it is within', async (t) => {
  const outer = new AbortController();
  using short = deadline(outer.signal, 1, 'the test');
  await new Promise((resolve) => short.addEventListener('abort', resolve, { once: true }));
  t.match(short.reason, { message: 'the test took longer than 0.001 s' });
  using long = deadline(outer.signal, 60_000, 'the test');
  outer.abort(new Error('over'));
  t.match(long.reason, { message: 'over' });
  using late = deadline(outer.signal, 60_000, 'the test');
  t.match(late.reason, { message: 'over' });
});

t.test('nothing stays of a deadline that was met, though somebody still listens to it', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const outer = new AbortController();
  const met = Array.from({ length: 100 }, () => {
    using limit = deadline(outer.signal, 60_000, 'the test');
    limit.addEventListener('abort', () => undefined);
    return new WeakRef(limit);
  });
  // a reference lives on until the end of the job that has made it
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  t.same(
    met.filter((each) => each.deref() !== undefined),
    [],
  );
});
