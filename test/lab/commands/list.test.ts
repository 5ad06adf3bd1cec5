import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { type Choice, chosenReports, type Listed } from '../../../lab/commands/report/list.ts';
import { writeReport } from '../../../lab/report/folder.ts';
import { inputs } from '../../support/inputs.ts';
import { labWorld } from '../../support/lab.ts';
import { failedResults, passedResults } from '../report/example.ts';

const run = (name: string, started: string, more: Partial<Listed> = {}): Listed => ({
  ...{ name, scenario: 'bridged', machine: 'virt', verdict: 'passed', started, seconds: 60 },
  ...more,
});
const all = [
  run('c', '2026-01-03T00:00:00.000Z', { seconds: 5, verdict: 'failed' }),
  run('a', '2026-01-01T00:00:00.000Z', { machine: 'local', seconds: 9 }),
  run('b', '2026-01-02T00:00:00.000Z', { scenario: 'overlay', machine: '2 x virt' }),
];
const names = (choice: Partial<Choice>): string =>
  chosenReports(all, { sort: 'started', reverse: false, ...choice })
    .map(({ name }) => name)
    .join('');

t.test('reports are listed oldest first, or as they are asked for', async (t) => {
  t.equal(names({}), 'abc');
  t.equal(names({ reverse: true }), 'cba');
  t.equal(names({ sort: 'seconds' }), 'cab');
  t.equal(names({ sort: 'scenario' }), 'acb', 'oldest first among equal ones');
  t.equal(names({ scenario: 'overlay' }), 'b');
  t.equal(names({ machine: 'virt' }), 'bc', 'on two of them as well');
  t.equal(names({ verdict: 'failed' }), 'c');
  t.equal(names({ since: '2026-01-02T00:00:00Z' }), 'bc');
  t.equal(names({ last: 2 }), 'bc', 'the newest');
  t.equal(names({ last: 2, sort: 'seconds' }), 'cb', 'the newest, and then sorted');
  t.equal(names({ scenario: 'veth' }), '');
});

t.test('whatever the order, the reports are the same ones', async (t) => {
  const orders = ['started', 'scenario', 'machine', 'verdict', 'seconds'] as const;
  const report = fc.record({
    ...{ name: fc.string(), scenario: fc.string(), machine: fc.string(), seconds: fc.nat() },
    verdict: fc.constantFrom('passed' as const, 'failed' as const),
    started: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  });
  fc.assert(
    fc.property(fc.array(report), fc.constantFrom(...orders), fc.boolean(), (reports, sort, reverse) => {
      const found = chosenReports(reports, { sort, reverse });
      t.strictSame(new Set(found), new Set(reports));
      t.equal(found.length, reports.length);
    }),
    inputs(19, 200),
  );
});

t.test('report list says what fits, and what cannot be read', async (t) => {
  await using world = await labWorld();
  await writeReport(path.join(world.reports, '20260101T120000-a-bridged-virt'), passedResults());
  await writeReport(path.join(world.reports, '20260101T130000-b-bridged-virt'), failedResults());
  const list = (...args: readonly string[]) => world.run(['report', 'list', '--reports', world.reports, ...args]);
  t.match(await list(), { code: 0, stdout: /-a-.* bridged on virt +passed .*\n.*-b-.* failed/ });
  const failed = await list('--verdict', 'failed', '--json');
  t.match(JSON.parse(failed.stdout), [{ name: /-b-/, scenario: 'bridged', machine: 'virt', verdict: 'failed' }]);
  t.match(await list('--scenario', 'veth'), { code: 0, stdout: '', stderr: /none of 2 reports fits/ });
  t.match(await list('--verdict', 'fine'), { code: 64, stderr: /Allowed choices are passed, failed/ });
  t.match(await list('--since', 'yesterday'), { code: 64, stderr: /a day as 2026-04-01/ });
});
