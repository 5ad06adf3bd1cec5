import { mkdir, mkdtemp, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { writeReport } from '../../../lab/report/folder.ts';
import type { Results } from '../../../lab/report/model/results.ts';
import { readResults } from '../../../lab/report/read.ts';
import { removeFolder } from '../../support/files/remove.ts';
import { failedResults, passedResults } from './example.ts';

const reports = async (stack: AsyncDisposableStack): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'lab-report-'));
  stack.defer(() => removeFolder(folder));
  return folder;
};

t.test('a report is a folder whose results can be read again', async (t) => {
  await using stack = new AsyncDisposableStack();
  const root = await reports(stack);
  await mkdir(join(root, 'one'));
  await writeFile(join(root, 'one', 'console.log'), 'booted\n');
  await writeReport(join(root, 'one'), passedResults(), [{ name: '../transcript: a/b', content: 'typed\n' }]);
  const files = (await readdir(join(root, 'one'))).toSorted();
  t.strictSame(files, [
    'console.log',
    'junit.xml',
    'latency-bridge.hgrm',
    'latency-port-mapping.hgrm',
    'report.html',
    'results.json',
    'summary.md',
    'transcript-a-b',
  ]);
  t.match(await readFile(join(root, 'one', 'latency-bridge.hgrm'), 'utf8'), /Value +Percentile +TotalCount/);
  t.strictSame(await readResults(join(root, 'one')), passedResults());
  t.equal(await readlink(join(root, 'latest')), 'one');
  await writeReport(join(root, 'two'), failedResults());
  t.equal((await readResults(join(root, 'latest'))).verdict, 'failed', 'latest is the newest');
});

t.test('reports written at the same time leave whole files and one latest', async (t) => {
  await using stack = new AsyncDisposableStack();
  const root = await reports(stack);
  const names = ['a', 'b', 'c', 'd'];
  await Promise.all(names.map((name) => writeReport(join(root, name), passedResults())));
  t.strictSame((await readdir(root)).toSorted(), [...names, 'latest']);
  t.ok(names.includes(await readlink(join(root, 'latest'))));
});

t.test('results that do not fit the schema are not written', async (t) => {
  await using stack = new AsyncDisposableStack();
  const root = await reports(stack);
  const wrong = { ...passedResults(), verdict: 'fine' } as unknown as Results;
  await t.rejects(writeReport(join(root, 'one'), wrong), { name: 'InvalidData', message: /verdict/ });
  t.strictSame(await readdir(root), []);
});

t.test('a report that cannot be read says why', async (t) => {
  await using stack = new AsyncDisposableStack();
  const root = await reports(stack);
  const file = join(root, 'results.json');
  await t.rejects(readResults(root), { fault: 'usage', message: /no report at/ });
  await writeFile(file, JSON.stringify({ ...passedResults(), version: 0 }));
  await t.rejects(readResults(root), {
    fault: 'incomplete',
    message: /has version 0; this lab reads versions 1 and 2/,
  });
  await writeFile(file, JSON.stringify({ version: 2 }));
  await t.rejects(readResults(root), { fault: 'incomplete', message: /damaged/ });
});

t.test('a report of version 1 is still read', async (t) => {
  const current = failedResults();
  const old = {
    ...current,
    version: 1,
    scenario: { name: current.scenario.name, about: current.scenario.description },
    steps: current.steps.map((step) => ({
      ...step,
      expectations: step.expectations.map(({ name, actual, ...rest }) => ({
        ...rest,
        what: name,
        ...(actual === undefined ? {} : { came: actual }),
      })),
    })),
  };
  const file = join(t.testdir({}), 'results.json');
  await writeFile(file, JSON.stringify(old));
  t.strictSame(await readResults(file), JSON.parse(JSON.stringify(current)));
  await writeFile(file, JSON.stringify({ ...old, steps: 7, scenario: null }));
  await t.rejects(readResults(file), { fault: 'incomplete', message: /is damaged/ });
});
