import { spawnSync } from 'node:child_process';
import path from 'node:path';
import t from 'tap';
import { failureText } from '../../scripts/tap/failure-text.ts';
import { collect } from '../../scripts/tap/tap-summary.ts';

const failing = `import t from 'tap';
t.test('values', async (t) => {
  t.equal(1 + 1, 3, 'the sum');
  await t.test('deeper', async (t) => t.same({ a: 1, b: [1, 2] }, { a: 1, b: [1, 3] }, 'a list'));
});
t.test('errors', async () => {
  throw Object.assign(new TypeError('it broke', { cause: new Error('no file') }), { code: 'ENOENT', next: ['look'] });
});
`;

t.test('of what a program printed, which a test gives as a name, the end is shown', (t) => {
  const printed = `bridged on local ${'✓ one more step 0.1 s '.repeat(200)}✗ load from the lab: 3 timeouts`;
  const result = { name: printed, ok: false, id: 1, diag: {} };
  const title = failureText(result as unknown as Parameters<typeof failureText>[0]);
  t.match(title, /^bridged on local ✓ .* … .*✗ load from the lab: 3 timeouts$/);
  t.ok(title.length < 2000, `${title.length} characters`);
  t.end();
});

t.test('a failed test says where, what was expected and the actual value, one thing a line', async (t) => {
  const file = path.join(t.testdir({ 'failing.test.mjs': failing }), 'failing.test.mjs');
  const env = { ...process.env, TAP: '1' };
  const { stdout } = spawnSync(process.execPath, [file], { encoding: 'utf8', env });
  const cases = collect(`TAP version 14\n# Subtest: x\n${stdout.replace(/^/gm, '    ')}\nnot ok 1 - x\n1..1\n`);
  const [values = '', errors = ''] = cases.map(({ why }) => why);
  const lines = values.split('\n');
  t.match(lines[0], /^the sum \(.*failing\.test\.mjs:3:5\)$/);
  t.strictSame(lines.slice(1, 3), ['    expected: 3', '    actual:   2']);
  t.match(lines[3], /^a list \(.*failing\.test\.mjs:4:\d+\)$/);
  t.match(values, / {4}expected \(-\) and actual \(\+\):[\s\S]*\n {6}- {4}3,\n {6}\+ {4}2,\n/);
  t.notMatch(values, /^deeper/m, 'the subtest that holds it is not said again');
  t.match(errors, /^TypeError: it broke \(.*failing\.test\.mjs:7:\d+\)\n/);
  t.match(errors, /\n {4}code: ENOENT\n {4}next: \["look"\]\n {4}cause: no file\n {4}at /);
  for (const line of [...lines, ...errors.split('\n')]) t.ok(line.length < 300, 'no long line');
});
