import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { writeSuite } from '../../../lab/report/folder.ts';
import { entryReason } from '../../../lab/report/formats/wording.ts';
import { countedEntries, type SuiteEntry, suiteVerdict } from '../../../lab/report/model/suite.ts';
import { removeFolder } from '../../support/files/remove.ts';
import { failedResults, passedResults } from './example.ts';

const entries: readonly SuiteEntry[] = [
  ...[passedResults(), failedResults()].map((results) => ({
    ...{ scenario: results.scenario.name, machine: results.machine.name, verdict: results.verdict },
    ...{ seconds: results.run.seconds, report: results.run.id, ...entryReason(results), results },
  })),
  { scenario: 'silent', machine: 'virt', verdict: 'error', seconds: 3, reason: 'it left no <report>' },
  { ...{ scenario: 'untidy', machine: 'virt', seconds: 9, reason: 'it left x behind' }, verdict: 'error' },
];

t.test('what a machine cannot do does not count, unless it was asked for or nothing else ran', async (t) => {
  const ran: SuiteEntry = { scenario: 'veth', machine: 'virt', verdict: 'passed', seconds: 3 };
  const unable: SuiteEntry = { scenario: 'bridged', machine: 'virt', verdict: 'incomplete', seconds: 0 };
  const verdict = (...counted: Parameters<typeof countedEntries>) => suiteVerdict(countedEntries(...counted));
  t.equal(verdict([ran], [unable], false), 'passed', 'all that the machine can run');
  t.equal(verdict([ran], [unable], true), 'incomplete', 'it was asked for');
  t.equal(verdict([], [unable], false), 'incomplete', 'nothing ran');
  t.equal(verdict([], [], false), 'incomplete');
  t.strictSame(countedEntries([ran], [unable], true), [ran, unable]);
});

t.test('what a service answered cannot end the table in the summary of a suite, or hide what follows', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lab-suite-'));
  t.teardown(() => removeFolder(folder));
  const reason = 'body, got <!-- </table> | `x` \u001b[31m[a](b)\r\n\n# end';
  const answered: SuiteEntry = { scenario: 'veth', machine: 'virt', verdict: 'failed', seconds: 3, reason };
  await writeSuite(folder, [answered, { ...answered, scenario: 'bridged' }]);
  const summary = await readFile(join(folder, 'summary.md'), 'utf8');
  const row = summary.split('\n').find((line) => line.startsWith('| veth |')) ?? '';
  t.match(row, 'body, got \\<!-- \\</table\\> \\| \\`x\\` \\[a\\](b) # end |');
  t.equal(summary.split('\n').filter((line) => line.startsWith('|')).length, 4, 'one line a run below the head');
});

t.test('the report of a suite has every run, whether it left results or not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lab-suite-'));
  t.teardown(() => removeFolder(folder));
  await writeSuite(folder, entries);
  t.equal(suiteVerdict(entries), 'error');
  const read = (name: string) => readFile(join(folder, name), 'utf8');

  const page = await read('report.html');
  t.match(page, '<div class="verdict error"><strong>! the lab failed');
  t.match(page, /1 passed, 1 failed, 2 the lab failed/);
  for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) t.match(page, `id="${id}"`);
  t.match(page, /goProxyBridge[\s\S]*the body is another one[\s\S]*it left no &#60;report&#62;/);
  t.notMatch(page, /<script|<iframe|src=|@import|url\(/);

  const junit = await read('junit.xml');
  t.strictSame(
    [...junit.matchAll(/<testsuite name="([^"]+)"/g)].map(([, name]) => name),
    ['bridged on virt', 'bridged on virt', 'silent on virt in the suite', 'untidy on virt in the suite'],
  );
  t.match(junit, '<error message="it left x behind"/>');
  t.match(await read('summary.md'), /\| silent \| virt \| the lab failed \|/);
  t.match(JSON.parse(await read('suite.json')), { verdict: 'error', entries: [{ scenario: 'bridged' }, {}, {}, {}] });
});
