import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { withoutLocal } from '../../scenarios/local/local.ts';
import { scenarioText } from '../../scenarios/written.ts';
import { labWorld } from '../../support/lab.ts';

const skip = withoutLocal();

/** A scenario in which `reports` comes to be a file: it can be written at the start, and not at the end. */
const losing = (reports: string, value: number) =>
  scenarioText(`
    const { rmSync, writeFileSync } = await import('node:fs');
    await step('lose the folder', lab, async ({ expect }) => {
      rmSync(${JSON.stringify(reports)}, { recursive: true });
      writeFileSync(${JSON.stringify(reports)}, '');
      expect.equal('value', ${value}, 1);
    });`);

t.test('a report that cannot be written takes no verdict along', { skip }, async (t) => {
  await using world = await labWorld();
  const file = path.join(world.temporary, '../mine.ts');
  for (const [value, code, verdict] of [
    [1, 0, 'passed'],
    [2, 1, 'failed'],
  ] as const) {
    await fs.writeFile(file, losing(world.reports, value));
    await fs.rm(world.reports, { force: true });
    const ended = await world.run(['scenario', file, '--machine', 'local', '--reports', world.reports, '--json']);
    t.equal(ended.code, code, { stderr: ended.stderr });
    t.match(ended.stderr, /the report could not be written to \S+: .* a part of that path is a file \(ENOTDIR\)\n {2}/);
    t.match(ended.stderr.trimEnd().split('\n').at(-1), new RegExp(`^${verdict} in `), 'the last line');
    t.notMatch(ended.stderr, /\n {4}at |\nreport: /);
    t.match(JSON.parse(ended.stdout), { folder: undefined, results: { verdict } });
  }
  await fs.rm(world.reports, { force: true });
  const suite = await world.run(['suite', file, '--machine', 'local', '--reports', world.reports]);
  t.equal(suite.code, 1, { stderr: suite.stderr });
  t.match(suite.stderr, /failed +mine +local/);
  t.match(suite.stderr, /the report could not be written to \S+-suite: /);
});

t.test('an error that nobody thought of keeps the report and says where it belongs', { skip }, async (t) => {
  await using world = await labWorld();
  const file = path.join(world.temporary, '../mine.ts');
  const body = `
    await step('slip', lab, () => new Promise(() => setTimeout(() => { throw new TypeError('a slip'); })));`;
  await fs.writeFile(file, scenarioText(body));
  const ended = await world.run(['scenario', file, '--machine', 'local', '--reports', world.reports]);
  t.equal(ended.code, 3, { stderr: ended.stderr });
  t.match(
    ended.stderr,
    /report: \S+-mine-local\n[\s\S]*lab: a slip\nTypeError: a slip\n {4}at [\s\S]*Please report it/,
  );
  t.ok((await fs.readdir(path.join(world.reports, 'latest'))).includes('results.json'));
});
