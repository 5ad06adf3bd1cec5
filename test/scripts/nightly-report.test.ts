import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { writeNightly } from '../../scripts/nightly-report.ts';

const junit = '<?xml version="1.0"?>\n<testsuites>\n<testsuite name="inner" tests="1"></testsuite>\n</testsuites>\n';

t.test('one report tells the outcome of every part, and links what each left', async (t) => {
  const folder = t.testdir({ '1': { 'junit.xml': junit, 'summary.md': '# 2 passed\n[one](../1-run/report.html)\n' } });
  await writeNightly(folder, [
    {
      ...{ name: 'suite on virt', code: 0, seconds: 12 },
      ...{ junit: path.join(folder, '1/junit.xml'), summary: path.join(folder, '1/summary.md') },
    },
    { name: 'a <part> that crashed', code: 137, seconds: 3 },
  ]);
  const read = (name: string) => fs.readFile(path.join(folder, name), 'utf8');
  const document = await read('junit.xml');
  t.match(document, /<testsuite name="inner" tests="1">/, 'suites of a part are in it');
  t.match(document, /name="a &#60;part&#62; that crashed"[^>]*><error message="ended with 137"/);
  t.equal([...document.matchAll(/<testsuite /g)].length, 3);
  const summary = await read('summary.md');
  t.match(summary, /\| suite on virt \| passed \| 12 s \|/);
  t.match(summary, /^## 2 passed$/m, "a part's headings are one level below");
  t.match(summary, /^\[one\]\(1-run\/report\.html\)$/m, 'its links lead to where they did');
  const page = await read('index.html');
  t.match(page, /Nightly run: failed/);
  t.match(page, /href="1\/summary\.md"/);
});
