import fs from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { writeReport, writeSuite } from '../../../lab/report/folder.ts';
import { mergeShards, parseShard, type ShardReport, shardOf } from '../../../lab/report/model/shards.ts';
import { countedEntries, type Shard, type SuiteEntry, suiteVerdict } from '../../../lab/report/model/suite.ts';
import { labWorld } from '../../support/lab.ts';
import { failedResults, passedResults } from './example.ts';

const verdicts = ['passed', 'failed', 'error', 'incomplete'] as const;

const entries = fc
  .array(fc.constantFrom(...verdicts), { maxLength: 12 })
  .map((all) => all.map((verdict, n): SuiteEntry => ({ scenario: `s${n}`, machine: 'local', verdict, seconds: n })));

/** The reports of all shards of a suite that ran `ran` and could not run `unable`. */
const shardsOf = (ran: readonly SuiteEntry[], unable: readonly SuiteEntry[], named: boolean, count: number) =>
  Array.from({ length: count }, (_, n): ShardReport => {
    const plan = ran.map(({ scenario, machine }) => ({ scenario, machine }));
    const shard: Shard = { index: n + 1, count, plan, named, unable: [...unable] };
    return { from: `shard-${n + 1}`, shard, entries: shardOf(ran, shard) };
  });

const merged = ([first, ...others]: readonly ShardReport[]) => (first ? mergeShards([first, ...others]) : []);

t.test('a suite that ran in shards has the verdict and the counts of one that did not', async (t) => {
  fc.assert(
    fc.property(entries, entries, fc.boolean(), fc.integer({ min: 1, max: 15 }), (ran, unable, named, count) => {
      const whole = countedEntries(ran, unable, named);
      const found = merged(shardsOf(ran, unable, named, count).toReversed());
      t.strictSame(found, whole);
      t.equal(suiteVerdict(found), suiteVerdict(whole));
    }),
    { numRuns: 50 },
  );
});

t.test('every scenario is shardOf to one shard, and none gets two more than another', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 9 }), (plan, count) => {
      const parts = Array.from({ length: count }, (_, n) => shardOf(plan, { index: n + 1, count }));
      t.strictSame(parts.flat().toSorted(), plan.toSorted());
      const sizes = parts.map(({ length }) => length);
      t.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
    { numRuns: 50 },
  );
  t.strictSame(parseShard('2/3'), { index: 2, count: 3 });
  for (const text of ['0/3', '4/3', '1', '1/0', '1/2/3', '-1/2', '']) t.equal(parseShard(text), undefined, text);
});

t.test('a shard that is missing or was broken off leaves the suite incomplete, with as many entries', async (t) => {
  const ran = ['a', 'b', 'c'].map(
    (scenario): SuiteEntry => ({ scenario, machine: 'local', verdict: 'passed', seconds: 1 }),
  );
  const [one, two] = shardsOf(ran, [], false, 2);
  if (!one || !two) throw new Error('there are two');
  const missing = merged([one]);
  t.strictSame(
    missing.map(({ scenario, verdict }) => `${scenario} ${verdict}`),
    ['a passed', 'b incomplete', 'c passed'],
  );
  t.equal(missing[1]?.reason, 'the shard 2/2 left no report');
  const broken = merged([{ ...one, entries: one.entries.slice(0, 1) }, two]);
  t.equal(broken[2]?.reason, 'the shard 1/2 was broken off before');
  t.throws(() => merged([one, { ...one, from: 'copy' }]), {
    fault: 'usage',
    message: /shard-1 and copy are both the shard 1\/2/,
  });
  const [, other] = shardsOf(ran.slice(1), [], false, 2);
  t.throws(() => merged(other ? [one, other] : []), { fault: 'usage', message: /shards of different suites/ });
});

t.test('report merge leaves one report over all shards, with the exit code of the whole', async (t) => {
  await using world = await labWorld();
  const [passed, failed] = [passedResults(), failedResults()];
  const ran = [passed, failed].map((results, n): SuiteEntry => {
    const { verdict, machine } = results;
    return { scenario: `s${n}`, machine: machine.name, verdict, seconds: 1, report: `run-${n}`, results };
  });
  const folders = await Promise.all(
    shardsOf(ran, [], true, 2).map(async ({ shard, entries: own }, n) => {
      const folder = path.join(path.dirname(world.reports), `artifact-${n}`);
      for (const { report, results } of own)
        if (report && results) await writeReport(path.join(folder, report), results);
      await writeSuite(path.join(folder, 'x-suite'), own, shard);
      return folder;
    }),
  );
  const whole = await world.run(['report', 'merge', ...folders, '--reports', world.reports, '--json']);
  t.equal(whole.code, 1, { stderr: whole.stderr });
  const { folder } = JSON.parse(whole.stdout) as { readonly folder: string };
  const read = (name: string) => fs.readFile(path.join(folder, name), 'utf8');
  t.match(JSON.parse(await read('suite.json')), {
    verdict: 'failed',
    entries: [{ scenario: 's0' }, { scenario: 's1' }],
  });
  t.match(await read('junit.xml'), /testsuite [\s\S]*testsuite /);
  t.match(await read('report.html'), /1 passed, 1 failed/);
  for (const name of ['run-0', 'run-1'])
    t.ok((await fs.readdir(path.join(world.reports, name))).includes('report.html'));

  const half = await world.run(['report', 'merge', folders[0] ?? '', '--reports', world.reports]);
  t.match(half, { code: 2, stderr: /the shard 2\/2 left no report/ });
  t.match(await world.run(['report', 'merge', folder]), { code: 64, stderr: /only shards are merged/ });
  t.match(await world.run(['report', 'merge', world.temporary]), {
    code: 64,
    stderr: /there is no report of a suite in/,
  });
});
