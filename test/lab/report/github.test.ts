import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import {
  type Annotation,
  annotationLine,
  runOnGithub,
  shownAnnotations,
  suiteOnGithub,
} from '../../../lab/report/formats/github.ts';
import { plain } from '../../../lab/report/formats/wording.ts';
import { cutSummary, tellGithub } from '../../../lab/report/github.ts';
import { removeFolder } from '../../support/files/remove.ts';
import { inputs } from '../../support/inputs.ts';
import { failedResults, passedResults } from './example.ts';

/** What GitHub's runner makes of a line (actions/runner, ActionCommand.cs). */
const obeyed = (line: string) => {
  const {
    command = '',
    words = '',
    data = '',
  } = /^::(?<command>\S+) (?<words>.*?)::(?<data>.*)$/s.exec(line)?.groups ?? {};
  const text = (escaped: string) => escaped.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
  const properties = words.split(',').map((word) => {
    const [key = '', value = ''] = word.split(/=(.*)/s);
    return [key, text(value.replaceAll('%3A', ':').replaceAll('%2C', ','))];
  });
  return { command, properties: Object.fromEntries(properties), message: text(data) };
};

t.test('a remark comes out of its line as it was, whatever is in it', async (t) => {
  const texts = fc.string({ unit: fc.constantFrom('%', ':', ',', '\n', '\r', 'a', '::', '%0A', 'é', '=', ' ') });
  fc.assert(
    fc.property(texts, texts, texts, (title, message, file) => {
      const line = annotationLine({ level: 'error', title, message, file, line: 7 });
      t.notMatch(line, /[\r\n]/);
      t.strictSame(obeyed(line), {
        command: 'error',
        properties: { file: plain(file), line: '7', title: plain(title) },
        message: plain(message),
      });
    }),
    inputs(19, 300),
  );
});

t.test('of very many remarks those that GitHub shows say how many there are', async (t) => {
  const many = Array.from({ length: 30 }, (_, n): Annotation => ({ level: 'error', title: `${n}`, message: 'x' }));
  const shown = shownAnnotations([...many, { level: 'warning', title: 'w', message: 'x' }]);
  t.equal(shown.filter(({ level }) => level === 'error').length, 10);
  t.match(shown[9], { level: 'error', title: '21 more' });
  t.equal(shown.at(-1)?.title, 'w');
});

t.test('a run that passed has a summary and no remark, another one says why', async (t) => {
  t.match(runOnGithub(passedResults()), { summary: /^# bridged on virt \(aarch64\): passed/, annotations: [] });
  t.match(runOnGithub(failedResults()).annotations, [
    { level: 'error', title: 'bridged on virt: failed', message: /the body is another one/ },
  ]);
});

t.test('a suite has its table, the summaries of what did not pass, and no link into the report', async (t) => {
  const results = failedResults();
  const told = suiteOnGithub([
    { scenario: 'bridged', machine: 'virt', verdict: 'failed', seconds: 3, reason: 'why', report: 'r', results },
    { scenario: 'veth', machine: 'virt', verdict: 'passed', seconds: 3, report: 's', results: passedResults() },
    { scenario: 'slow', machine: 'virt', verdict: 'incomplete', seconds: 9, reason: 'it timed out' },
  ]);
  t.match(
    told.summary,
    /\| bridged \| virt \| failed \|[\s\S]*\| veth \| virt \| passed \|[\s\S]*\n## bridged on virt/,
  );
  t.notMatch(told.summary, /report\.html/);
  t.equal(told.summary.match(/^## \w+ on virt/gm)?.length, 1);
  t.match(told.annotations, [
    { level: 'error', title: 'bridged on virt: failed', message: 'why' },
    { level: 'warning', title: 'slow on virt: incomplete', message: 'it timed out' },
  ]);
});

t.test('a summary that is too long for GitHub is cut between lines, and says so', async (t) => {
  t.equal(cutSummary('one\ntwo\n', 8), 'one\ntwo\n');
  const long = 'é line\n'.repeat(1000);
  const cut = cutSummary(long, 2000);
  t.ok(Buffer.byteLength(cut) <= 2000);
  t.match(cut, /^(é line\n)+\n\nThe rest of this summary is too long/);
  t.equal(cutSummary(long, 10), '');
  t.equal(cutSummary(long, -5), '');
});

t.test('a step summary that cannot be written is said, and nothing is thrown', async (t) => {
  const folder = await fs.mkdtemp(path.join(tmpdir(), 'lab-github-'));
  t.teardown(() => removeFolder(folder));
  const written: string[] = [];
  t.intercept(process.stderr, 'write', { value: (text: string) => written.push(text) > 0 });
  const { env } = process;
  t.intercept(process, 'env', { value: { ...env, GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: folder } });
  await tellGithub({ summary: '# x\n', annotations: [{ level: 'notice', title: 'a', message: 'b' }] });
  t.strictSame(written[0], '::notice title=a::b\n');
  t.match(written[1], /^the job summary could not be written: EISDIR/);
});
