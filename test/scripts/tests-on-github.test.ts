import t from 'tap';
import type { Case } from '../../scripts/tap/tap-summary.ts';
import { testsOnGithub } from '../../scripts/tap/tests-on-github.ts';

const file = 'test/lab/x.test.ts';
const test = (state: Case['state'], name: string, why = ''): Case => ({ file, name, ms: 1, state, why });

t.test('what failed is shown at its line, and all of it is in the summary', async (t) => {
  const why = `should be equal (/home/runner/work/lab/${file}:12:5)\n    expected: 1\n    actual:   2 \`\`\``;
  const { summary, annotations } = testsOnGithub(
    [test('pass', 'a'), test('fail', 'b', why), test('skip', 'c', 'no | docker')],
    [test('fail', 'd', 'it did not end in time')],
  );
  t.match(annotations, [
    { level: 'error', title: 'failed: b', file, line: 12, message: why },
    { level: 'warning', title: 'unsteady: d', file, message: 'it did not end in time' },
  ]);
  t.equal(annotations[1]?.line, undefined);
  t.match(summary, /^# Tests: 1 passed, 1 failed, 1 skipped\n/);
  t.match(summary, /## Failed\n\ntest\/lab\/x\.test\.ts: b\n\n````\nshould be equal[\s\S]*actual: {3}2 ```\n````/);
  t.match(
    summary,
    /## Unsteady[\s\S]*\| d \| it did not end in time \|[\s\S]*## Skipped[\s\S]*\| c \| no \\\| docker \|/,
  );
});

t.test('checks of the code are no file', async (t) => {
  const { annotations } = testsOnGithub([{ ...test('fail', 'types', 'error TS1'), file: 'checks' }], []);
  t.strictSame(annotations, [{ level: 'error', title: 'failed: types', message: 'error TS1' }]);
});

t.test('tests that all passed have a summary of one line', async (t) => {
  const { summary, annotations } = testsOnGithub([test('pass', 'a')], []);
  t.strictSame(annotations, []);
  t.equal(summary.trim(), '# Tests: 1 passed, 0 failed, 0 skipped');
});
