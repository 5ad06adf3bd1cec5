// npm run conformance: a worker, ours or another, against every fact of the contract.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { verdictSigns } from '../lab/report/formats/verdict.ts';
import { exitCodes } from '../lab/system/errors.ts';
import { type Subject, subjectVariable } from '../test/conformance/world/subject.ts';
import { markdownOf, rowsOf } from './conformance-table.ts';
import { installedWorker } from './installed-worker.ts';
import { runTap } from './tap/run-tap.ts';
import { junitOf } from './tap/tap-summary.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const chapterSeconds = 1600;

const { netManager, nodeEngine, output } = new Command('conformance')
  .description(
    'Tests a worker against the contract, in namespaces of its own. It finds its files where the contract says ' +
      '(/etc/oakestra, /etc/netmanager) and wasmtime on PATH. Exit codes: 0 every fact holds, 1 one does not, 2 too ' +
      'little could be tested.',
  )
  .option('--net-manager <command>', 'program and arguments, separated by spaces (default: ours, as it is installed)')
  .option('--node-engine <command>', 'the same; {dialect} in it stands for 400 or 403, without it only 403 is tested')
  .option('--output <folder>', 'where conformance.md, junit.xml and the raw TAP go', join(root, 'reports/conformance'))
  .parse()
  .opts<{ netManager?: string; nodeEngine?: string; output: string }>();

const commandOf = (text: string | undefined, own: readonly string[]): string[] =>
  text === undefined ? [...own] : text.split(' ').filter((word) => word !== '');

const chapters = async (): Promise<readonly string[]> => {
  const folder = 'test/conformance';
  const names = await readdir(join(root, folder));
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => join(folder, name));
};

const signOf = ({ verdict, note }: Readonly<Record<string, string | undefined>>): string => {
  if (verdict !== 'ok') return verdictSigns.failed;
  return note === 'SKIP' ? '-' : verdictSigns.passed;
};

/** Shows a fact as soon as it is decided. */
const show = (line: string): void => {
  const fact =
    /^(?: {4}){1,2}(?<verdict>ok|not ok) \d+ - (?<name>\d[.a-z]\d* .+?)(?: # (?<note>time=|SKIP).*)?(?: \{)?$/.exec(
      line,
    )?.groups;
  if (fact) process.stdout.write(`${signOf(fact)} ${fact['name']}\n`);
};

await rm(output, { recursive: true, force: true });
await mkdir(output, { recursive: true });
const own = await installedWorker(join(root, 'dist/conformance'));
const subject: Subject = {
  netManager: commandOf(netManager, own.netManager),
  nodeEngine: commandOf(nodeEngine, [...own.nodeEngine, '--dialect', '{dialect}']),
  all: true,
};
const cases = await runTap({
  files: await chapters(),
  raw: join(output, 'raw.tap'),
  timeout: chapterSeconds,
  env: { [subjectVariable]: JSON.stringify(subject) },
  onLine: show,
});
const rows = rowsOf(cases);
await writeFile(join(output, 'junit.xml'), junitOf(cases));
const tested = { NetManager: netManager ?? 'this project’s', NodeEngine: nodeEngine ?? 'this project’s' };
await writeFile(join(output, 'conformance.md'), markdownOf(rows, tested));

const count = (state: 'pass' | 'fail' | 'skip') => cases.filter((one) => one.state === state).length;
for (const { name, state, why } of cases) {
  if (state === 'fail') process.stdout.write(`\nfailed: ${name}\n${why.slice(0, 2000)}\n`);
  if (state === 'skip') process.stdout.write(`not tested: ${name}: ${why}\n`);
}
const silent = rows.filter(({ results }) => results.length === 0).length;
process.stdout.write(
  `${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped, ${silent} facts without a test\n`,
);
process.stdout.write(`${join(output, 'conformance.md')}\n`);
process.exitCode =
  count('fail') > 0 ? exitCodes.failed : silent > 0 || count('pass') === 0 ? exitCodes.incomplete : exitCodes.passed;
