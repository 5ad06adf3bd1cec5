import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import t, { type Test } from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));

const rule = fileURLToPath(new URL('../../scripts/lint/return-await.grit', import.meta.url));
const configuration = { root: true, plugins: [rule], linter: { rules: { preset: 'none' } } };

/** The lines of a function's body that are refused because they return a promise too early. */
const refused = async (t: Test, ...lines: readonly string[]): Promise<readonly string[]> => {
  const text = ['export const tried = async () => {', ...lines, '};'].join('\n');
  const cwd = t.testdir({ tried: { 'biome.json': JSON.stringify(configuration), 'tried.ts': text } });
  const args = ['lint', '--reporter=json', '--max-diagnostics=none', 'tried.ts'];
  const options = { cwd: path.join(cwd, 'tried'), preferLocal: true, localDir: root, reject: false };
  const { stdout } = await execa('biome', args, options);
  const report = JSON.parse(stdout) as {
    diagnostics: readonly { category: string; location: { start: { line: number } } }[];
  };
  const ours = report.diagnostics.filter(({ category }) => category === 'plugin');
  return ours.map(({ location }) => lines[location.start.line - 2] ?? '').sort();
};

t.test('a promise that outlives what its function holds is refused', async (t) => {
  const wrong = [
    'if (a) return wait(limit);',
    'if (b) return wait(limit).catch(() => 0);',
    'if (c) return c ? wait(limit) : 0;',
    'if (d) { return d ?? import("./x.ts"); }',
  ].sort();
  for (const held of ['using', 'await using'])
    t.strictSame(await refused(t, `${held} limit = deadline();`, ...wrong), wrong, held);
  t.strictSame(await refused(t, 'try {', 'return wait(limit);', '} finally {', 'release();', '}'), [
    'return wait(limit);',
  ]);
});

t.test('what settles in time is not', async (t) => {
  const right = [
    'using limit = deadline();',
    'const inner = list.map((one) => { return wait(one); });',
    'if (a) return await wait(limit);',
    'if (b) return { done: wait(limit) };',
    'if (c) return (await wait(limit)).length;',
    'return inner;',
  ];
  t.strictSame(await refused(t, ...right), []);
  t.strictSame(await refused(t, '{ using limit = deadline(); limit.use(); }', 'return wait();'), []);
  t.strictSame(await refused(t, 'try { return wait(); } catch { return other(); }'), []);
});
