import t from 'tap';
import { markdownOf, rowsOf } from '../../scripts/conformance-table.ts';
import { type Case, collect } from '../../scripts/tap/tap-summary.ts';
import { facts } from '../conformance/world/facts.ts';

const testOf = (name: string, state: Case['state'], why = ''): Case => ({ file: 'x', name, ms: 1, state, why });

t.test('every fact has a row, with what came of it in each setting', async (t) => {
  const rows = rowsOf([
    testOf('6.1 the gateway [bridged]', 'pass'),
    testOf('6.1 the gateway [veth]', 'fail'),
    testOf('6.10 what leaves', 'pass'),
    testOf('2.6 silence', 'skip', 'too long'),
  ]);
  t.same(
    rows.map(({ id }) => id),
    Object.keys(facts),
  );
  const text = markdownOf(rows, { NetManager: 'net-manager' });
  t.match(text, /^\| 6\.1 \| .* \| pass bridged, \*\*fail\*\* veth \|$/m);
  t.match(text, /^\| 6\.10 \| .* \| pass \|$/m, 'not mixed up with 6.1');
  t.match(text, /^\| 2\.6 \| .* \| not tested \(too long\) \|$/m);
  t.match(text, /^\| 8a \| .* \| not tested \|$/m);
});

t.test('tests in a process of their own count one by one', async (t) => {
  const tap = `TAP version 14
# Subtest: a.test.ts
    # Subtest: unshare -Urnm node a.test.ts
        # Subtest: first
            ok 1 - fine
            1..1
        ok 1 - first
        # Subtest: second
            not ok 1 - broken
            1..1
        not ok 2 - second
        1..2
    not ok 1 - unshare -Urnm node a.test.ts
    1..1
not ok 1 - a.test.ts
1..1
`;
  t.match(collect(tap), [
    { file: 'a.test.ts', name: 'first', state: 'pass' },
    { file: 'a.test.ts', name: 'second', state: 'fail', why: /broken/ },
  ]);
  t.equal(collect(tap).length, 2);
});
