import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { withoutLocal } from '../scenarios/local/local.ts';
import { labWorld } from '../support/lab.ts';
import { printedResults } from '../support/report.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/${name}/${name}.wasm`, import.meta.url));

t.test('a run is repeated and checked from its report alone', { skip: withoutLocal() }, async (t) => {
  await using world = await labWorld();
  const own = path.join(t.testdir({ 'own.wasm': await fs.readFile(fixture('greeter-wasi-http')) }), 'own.wasm');
  const answer = path.join(t.testdirName, 'answer');
  await fs.writeFile(answer, 'Another component.\n');
  const first = await world.run([
    ...['scenario', 'bridged', '--machine', 'local', '--duration', '1', '--reports', world.reports, '--json'],
    ...['--app', own, '--expect-body-file', answer],
  ]);
  t.equal(first.code, 0, { stderr: first.stderr });
  const report = path.join(t.testdirName, 'sent to a colleague');
  await fs.rename(printedResults(first.stdout).folder, report);
  await fs.rm(own);
  await fs.rm(answer);
  const lab = (command: string) => world.run(['report', command, report, '--reports', world.reports]);

  const again = await lab('reproduce');
  t.equal(again.code, 0, { stderr: again.stderr });
  t.match(again.stdout, /^reproduced: \d+ inputs, \d+ steps/);
  const checked = await lab('verify');
  t.equal(checked.code, 0, { stderr: checked.stderr });
  t.match(checked.stdout, /✓ component own\.wasm\n✓ wasmtime \(board\) /);

  await t.test('another component in it is noticed by both', async (t) => {
    await fs.copyFile(fixture('hello-wasi-http'), path.join(report, 'own.wasm'));
    const changed = await lab('verify');
    t.equal(changed.code, 1, { stderr: changed.stderr });
    t.match(changed.stdout, /✗ component own\.wasm: \w{12} in the report, 13cb5d619db2 here\n/);
    const other = await lab('reproduce');
    t.equal(other.code, 2, { stderr: other.stderr });
    t.match(
      other.stdout,
      /something else was run:\n {2}component: .*\nthe outcome differs:\n {2}verdict: passed -> failed/s,
    );
  });

  await t.test('a report that does not say what was run is told as such', async (t) => {
    const file = path.join(report, 'results.json');
    const { run, ...rest } = JSON.parse(await fs.readFile(file, 'utf8'));
    await fs.writeFile(file, JSON.stringify({ ...rest, run: { ...run, command: undefined } }));
    const { code, stderr } = await lab('reproduce');
    t.equal(code, 2, { stderr });
    t.match(stderr, /does not hold the command that was run/);
  });
  t.strictSame(await world.leftovers(), []);
});
