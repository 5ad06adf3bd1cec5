import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { suitePage } from '../../../lab/report/html/suite.ts';
import { htmlReport } from '../../../lab/report/html.ts';
import type { Results } from '../../../lab/report/model/results.ts';
import { removeFolder } from '../../support/files/remove.ts';
import { openPage, withoutBrowser } from './browser.ts';
import { brokenResults, failedResults, passedResults, twoBoards } from './example.ts';

/** A full board whose names are as long as names can be. */
const crowded = (): Results => {
  const results = failedResults();
  const part = 'abcdefghijklmnopqrstuvwxyz1234';
  const instances = Array.from({ length: 61 }, (_, i) => ({
    task: `${part}.${part}.${part}.${part}.instance.${i}`,
    address: `10.10.0.${i + 2}`,
    ports: [`${8000 + i}:80/tcp`],
  }));
  const topology = { kind: 'veth' as const, gateway: '10.10.0.1', instances };
  return { ...results, run: { ...results.run, topology } };
};

const examples = { passed: passedResults(), crowded: crowded(), two: twoBoards(), broken: brokenResults() };

t.test('the report is one file without scripts or anything from elsewhere', async (t) => {
  const text = htmlReport(examples.passed, [{ name: 'console', text: 'booted\n' }]);
  t.match(text, /<div class="verdict passed"><strong>✓ passed/);
  t.match(text, "default-src 'none'");
  t.notMatch(text, /<script|<iframe|src=|@import|url\(|href="(?!#|data:)/);
  t.match(text, /<summary>console<\/summary><pre tabindex="0">booted/);
  t.match(text, /goProxyBridge[\s\S]*10\.10\.0\.1[\s\S]*veth000[\s\S]*10\.10\.0\.2/);
  for (const [, id] of text.matchAll(/href="#([^"]+)"/g)) t.match(text, `id="${id}"`);
});

t.test('what a service or a log says stays text', async (t) => {
  const text = htmlReport(examples.crowded, [{ name: '<i>', text: '</pre><script>alert(1)</script>\u001b[2J' }]);
  t.notMatch(text, /<script|<i>|<b>Bad/);
  t.notMatch(text, '\u001b');
  t.match(text, '&#60;script&#62;alert(1)');
  t.match(text, 'and 49 more');
});

t.test('a browser shows it at every width and in both schemes', { skip: withoutBrowser }, async (t) => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'lab-html-'));
  stack.defer(() => removeFolder(folder));
  const page = await openPage(stack);
  const colours = new Set<string>();
  const entries = Object.values(examples).map((results) => ({
    ...{ scenario: results.scenario.name, machine: results.machine.name, verdict: results.verdict },
    ...{ seconds: 30, report: results.run.id, reason: 'x '.repeat(300), results },
  }));
  const pages = {
    ...Object.fromEntries(
      Object.entries(examples).map(([name, results]) => [
        name,
        htmlReport(results, [{ name: 'console', text: 'x'.repeat(3000) }]),
      ]),
    ),
    suite: suitePage(entries),
  };
  for (const [name, text] of Object.entries(pages)) {
    const file = join(folder, `${name}.html`);
    await writeFile(file, text);
    for (const width of [390, 1440])
      for (const scheme of ['light', 'dark']) {
        const what = `${name}, ${width} px, ${scheme}`;
        page.events.length = 0;
        await page.send('Emulation.setDeviceMetricsOverride', {
          width,
          height: 900,
          deviceScaleFactor: 1,
          mobile: false,
        });
        await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
        await page.send('Page.navigate', { url: `file://${file}` });
        await page.evaluate('new Promise((done) => document.readyState === "complete" ? done() : onload = done)');
        await page.evaluate('document.querySelectorAll("details").forEach((one) => { one.open = true })');
        t.ok(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'), what);
        t.match(await page.evaluate('document.title'), /^(bridged on virt|Suite of 3 runs)/, what);
        const methods = page.events.map(({ method }) => method);
        t.notOk(
          methods.includes('Log.entryAdded') || methods.includes('Runtime.exceptionThrown'),
          `${what}: no errors`,
        );
        t.equal(methods.filter((method) => method === 'Network.requestWillBeSent').length, 1, `${what}: one file`);
        colours.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
      }
  }
  t.equal(colours.size, 2, 'light and dark differ');
});
