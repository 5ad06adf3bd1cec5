import t from 'tap';
import { mergeReruns, selectReruns } from '../../scripts/tap/reruns.ts';
import { type Case, collect } from '../../scripts/tap/tap-summary.ts';

const result = (state: Case['state'], file: string, name = 'x'): Case => ({ file, name, ms: 1, state, why: state });

t.test('the files of few failures are run again, each once, and none when many fail', (t) => {
  const failed = (file: string) => result('fail', file);
  t.same(selectReruns([result('pass', 'a.test.ts'), failed('b.test.ts'), failed('b.test.ts')]), ['b.test.ts']);
  t.same(selectReruns(['a', 'b', 'c', 'd'].map((name) => failed(`${name}.test.ts`))), []);
  t.same(selectReruns([failed('checks'), failed('b.test.ts')]), [], 'types and lint do not fail for want of time');
  t.end();
});

t.test('a file that passes the second time counts with its second results, and is named as unsteady', (t) => {
  const [steady, once] = [result('pass', 'a.test.ts'), result('fail', 'b.test.ts')];
  const second = [result('pass', 'b.test.ts'), result('skip', 'b.test.ts', 'y')];
  t.same(mergeReruns([steady, once, result('pass', 'b.test.ts', 'z')], second), {
    cases: [steady, ...second],
    unsteady: [once],
  });
  t.end();
});

t.test('a file that fails twice, skips all or is not run again keeps its failure', (t) => {
  const first = [result('fail', 'a.test.ts')];
  for (const second of [
    [result('pass', 'a.test.ts'), result('fail', 'a.test.ts', 'another')],
    [result('skip', 'a.test.ts')],
    [],
  ])
    t.same(mergeReruns(first, second), { cases: first, unsteady: [] });
  t.end();
});

t.test('a test that fails behind its last assertion says why', (t) => {
  const tap = `TAP version 14
# Subtest: x.test.ts
    # Subtest: leaves a folder
        ok 1 - written
        1..1
    not ok 1 - ENOTEMPTY: directory not empty, rmdir 'fixture'
      ---
      stack: |
        rmdir (x.test.ts:3:5)
      ...
    1..1
not ok 1 - x.test.ts
1..1
`;
  t.match(collect(tap), [{ state: 'fail', why: /ENOTEMPTY.*x\.test\.ts:3:5/ }]);
  t.end();
});
