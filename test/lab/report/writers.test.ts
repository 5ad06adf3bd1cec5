import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { junit } from '../../../lab/report/formats/junit.ts';
import { summary } from '../../../lab/report/formats/summary.ts';
import { terminal } from '../../../lab/report/formats/terminal.ts';
import { formatValue } from '../../../lab/report/formats/wording.ts';
import { htmlReport } from '../../../lab/report/html.ts';
import { histogramOf } from '../../../lab/report/model/latency.ts';
import { Results } from '../../../lab/report/model/results.ts';
import { problemsOf } from '../../../worker/contract/check.ts';
import { brokenResults, failedResults, passedResults, twoBoards } from './example.ts';

const examples = { passed: passedResults(), two: twoBoards(), failed: failedResults(), broken: brokenResults() };

t.test('results of every outcome fit the schema', async (t) => {
  for (const [name, results] of Object.entries(examples)) t.strictSame(problemsOf(Results, results), [], name);
  t.match(problemsOf(Results, { ...examples.passed, verdict: 'fine' }), [/verdict/]);
});

t.test('a latency histogram is whole again after its way through the results', async (t) => {
  const latency = examples.passed.run.latencies[0];
  if (!latency) return t.fail('the example has a latency');
  const histogram = histogramOf(latency);
  t.equal(histogram.totalCount, 2000);
  t.equal(histogram.getValueAtPercentile(99), latency.percentiles['p99']);
});

/** The suites and cases of a JUnit file, as an XML parser that is not ours reads them. */
const parseXml = (xml: string): { tests: string; failures: string; errors: string; cases: string[][] } => {
  const program = `
import json, sys, xml.etree.ElementTree as tree
suite = tree.fromstring(sys.stdin.buffer.read()).find('testsuite')
cases = [[case.get('name')] + [child.tag + ': ' + (child.text or '') for child in case] for case in suite.iter('testcase')]
print(json.dumps({**suite.attrib, 'cases': cases}))`;
  const { status, stdout, stderr } = spawnSync('python3', ['-c', program], { input: xml });
  if (status !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
};

const noPython = spawnSync('python3', ['--version']).status === 0 ? false : 'no python3 to parse XML with';

t.test('a report says whether its board was booted or restored, as far as it knows', async (t) => {
  const { run } = examples.passed;
  for (const [start, said] of [
    ['booted', /The board was booted\./],
    ['restored', /The board was restored from a saved boot\./],
    [undefined, undefined],
  ] as const) {
    const emulator = { arguments: [], ...(start === undefined ? {} : { start }) };
    const results = { ...examples.passed, run: { ...run, emulator } };
    t.strictSame(problemsOf(Results, results), []);
    for (const text of [terminal(results, { colours: 0 }), summary(results), htmlReport(results, [])])
      if (said) t.match(text, said);
      else t.notMatch(text, /The board was/);
  }
});

t.test('figures of a virtual machine are shown, and marked as those in every form', async (t) => {
  const { machine, ...rest } = passedResults('virtualized');
  const results = { ...rest, machine: { ...machine, accelerator: 'kvm' } };
  t.strictSame(problemsOf(Results, results), []);
  for (const text of [terminal(results, { colours: 0 }), summary(results), htmlReport(results, [])]) {
    t.match(text, /This ran in a virtual machine \(kvm\): .*not with those of a board/);
    t.match(text, /responses per second/);
    t.notMatch(text, /not performance/);
  }
  t.match(summary(results), /> \*\*VIRTUALIZED\.\*\* [\s\S]*## Latency \(virtualized\)/);
});

t.test('junit tells a failure of the product from an error of the lab', { skip: noPython }, async (t) => {
  t.match(parseXml(junit(examples.passed)), { tests: '3', failures: '0', errors: '0', time: '32.5' });
  const failed = parseXml(junit(examples.failed));
  t.match(failed, { tests: '3', failures: '1', errors: '0' });
  t.match(failed.cases[1], ['http from the board', /^failure: body, expected "Hello.*<b>Bad/]);
  const broken = parseXml(junit(examples.broken));
  t.match(broken, { tests: '1', failures: '0', errors: '1', cases: [['boot', 'error: boot: QEMU ended with code 1']] });
  const incomplete = { ...examples.passed, verdict: 'incomplete' as const };
  t.match(parseXml(junit(incomplete)), { skipped: '1', failures: '0', errors: '0' });
});

t.test('junit is XML whatever a service answers', { skip: noPython }, async (t) => {
  const texts = fc.sample(fc.string({ unit: 'binary', maxLength: 60 }), { seed: 1, numRuns: 400 });
  const { run } = examples.broken;
  const failure = { step: 'any', message: `${texts.join('')} end`, next: [] };
  const { cases } = parseXml(junit({ ...examples.broken, run: { ...run, failure } }));
  t.match(cases[0]?.[1], / end$/);
});

t.test('the summary has the outcome first and says loudly what is emulated', async (t) => {
  const text = summary(examples.passed);
  t.match(text, /^# bridged on virt \(aarch64\): passed\n/);
  t.match(text, /\*\*EMULATED\.\*\* This ran on an emulator \(tcg\): its timings are not performance measurements/);
  t.match(text, '| port mapping | 2,004 | 2,000 | 0 | 0 | 0 | 0 | 4 |');
  t.match(text, /\| wasmtime \| 48\.0\.2 \| a{64} \|/);
  t.notMatch(summary(passedResults('native')), 'emulator');
});

t.test('the summary of a failure names the step, what was expected, what came and where to look', async (t) => {
  const text = summary(examples.failed);
  t.match(text, /^# .*: failed\n\nhttp from the board: the body is another one\n/);
  t.match(text, '| ↳ body | board | failed |');
  t.match(text, 'Bad \\| gateway', 'a bar in a cell does not end it');
  t.notMatch(text, /^<script>|[^`].*\| <b>/m);
  t.match(text, '````\nstarting\na ``` fence', 'a log cannot end its block');
  t.match(text, 'npm run lab -- shell');
});

t.test('the terminal ends with the verdict and obeys nothing that a service sent', async (t) => {
  const text = terminal(examples.failed, { colours: 0, folder: 'reports/x' });
  const lines = text.trimEnd().split('\n');
  t.equal(lines.at(-1), 'failed in 32.5 s: http from the board: the body is another one');
  t.equal(lines.at(-2), 'report: reports/x');
  t.notMatch(text, '\u001b');
  t.notMatch(text, '\u0000');
  t.match(text, /✗ {2}http from the board {2}board {2}60 ms\n {3}body, expected/);
  t.match(terminal(examples.passed, { colours: 1 }), '\u001b[32m');
  t.match(terminal(examples.passed, { colours: 0 }), /passed in 32\.5 s\n$/);
});

t.test('values are in a unit that a person reads', async (t) => {
  t.equal(formatValue(1270, 'us'), '1.3 ms');
  t.equal(formatValue(0.02, 's'), '20 ms');
  t.equal(formatValue(0, 'ms'), '0 µs');
  t.equal(formatValue(27 * 1024 * 1024, 'bytes'), '27 MiB');
  t.equal(formatValue(476.2, '1/s'), '476/s');
});

t.test('of two boards every writer says which one it speaks of', async (t) => {
  const two = twoBoards();
  const text = terminal(two, { colours: 0 });
  t.match(text, /bridged on 2 x virt \(aarch64\)/);
  t.match(text, /deploy +board-1/);
  t.match(text, /http from the board +instance on board-2/);
  const markdown = summary(two);
  t.match(markdown, /\| http from the board \| instance on board-2 \| passed/);
  t.match(markdown, /\| board-2 \| 192\.168\.77\.12 \| 10\.10\.0\.65 \|/);
  t.match(markdown, /\| board-1: clock \| 1500 MHz \| 600 MHz \|/);
  t.match(junit(two), /testsuite name="bridged on 2 x virt"[\s\S]*classname="bridged\.board-2\.instance"/);
  const html = htmlReport(two, []);
  t.match(html, /<b>board-1<\/b>[\s\S]*192\.168\.77\.11[\s\S]*segment[\s\S]*<b>board-2<\/b>[\s\S]*10\.10\.0\.65/);
  t.match(html, /Arguments of the emulator of board-2/);
});
