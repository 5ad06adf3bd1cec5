import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { labWorld } from '../../support/lab.ts';
import { printedResults } from '../../support/report.ts';
import { withoutLocal } from './local.ts';

const skip = withoutLocal();
const fixture = (name: string) => fileURLToPath(new URL(`../../../fixtures/${name}/${name}.wasm`, import.meta.url));

const text = Buffer.from('Another component.\n');
/** As text each of its bytes would be the same replacement character. */
const body = Buffer.from(Array.from(text, (_byte, index) => 0xf8 + (index % 8)));

t.test('a component whose body is no text passes by its bytes, and fails by one other', { skip }, async (t) => {
  await using world = await labWorld();
  const own = (name: string) => path.join(world.temporary, '..', name);
  const [app, expected, wrong] = [own('app.wasm'), own('right'), own('wrong')] as const;
  const bytes = await fs.readFile(fixture('greeter-wasi-http'));
  const at = bytes.indexOf(text);
  t.ok(at > 0, 'the fixture has its answer as it is');
  body.copy(bytes, at);
  await fs.writeFile(app, bytes);
  await fs.writeFile(expected, body);
  await fs.writeFile(wrong, body.toReversed());
  const scenario = (...more: readonly string[]) =>
    world.run([
      'scenario',
      'bridged',
      '--machine',
      'local',
      '--duration',
      '1',
      '--json',
      '--reports',
      world.reports,
      ...more,
    ]);

  const right = await scenario('--app', app, '--expect-body-file', expected);
  t.equal(right.code, 0, { stderr: right.stderr });
  const { folder, results } = printedResults(right.stdout);
  t.match(results.run.firstAnswer, { bodyBytes: 19, body: /^19 bytes that are no text: f8 f9 fa/ });
  t.match(await fs.readFile(path.join(folder, 'summary.md'), 'utf8'), /Status 200, 19 bytes, no content type:/);

  const other = await scenario('--app', app, '--expect-body-file', wrong, '--until', 'HTTP from the board');
  t.equal(other.code, 1);
  t.match(other.stderr, /body: expected 19 bytes that are no text: fa f9 f8 .*, got 19 bytes that are no text: f8 f9/);

  const any = await scenario('--app', app, '--any-body');
  t.equal(any.code, 0, { stderr: any.stderr });
  const { notes } = printedResults(any.stdout).results.run;
  t.match(
    notes.find((note) => /any body/.test(note)),
    /'mapped' accepted any body: they had 19 to 19 bytes/,
  );
});

t.test('a path and its body are what the user says; a missing newline is shown', { skip }, async (t) => {
  await using world = await labWorld();
  const asked = ['--app', fixture('rust-wasi-http'), '--path', '/a/path?and=query'];
  const scenario = (...more: readonly string[]) =>
    world.run([
      'scenario',
      'bridged',
      '--machine',
      'local',
      '--duration',
      '1',
      '--reports',
      world.reports,
      ...asked,
      ...more,
    ]);
  const right = await scenario('--expect-body', 'Hello from Rust: /a/path?and=query\n');
  t.equal(right.code, 0, { stderr: right.stderr });
  const wrong = await scenario('--expect-body', 'Hello from Rust: /a/path?and=query', '--until', 'HTTP from the board');
  t.equal(wrong.code, 1);
  t.match(
    wrong.stderr,
    /expected "Hello from Rust: \/a\/path\?and=query", got "Hello from Rust: \/a\/path\?and=query\\n"/,
  );
  const status = await scenario('--expect-status', '404', '--until', 'HTTP from the board');
  t.equal(status.code, 1);
  t.match(status.stderr, /status: expected 404, got 200/);
});
