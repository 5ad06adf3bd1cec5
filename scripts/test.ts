// npm test: type check, lint, unused code, then all tests; the last line counts them.
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { execa } from 'execa';
import { tellGithub } from '../lab/report/github.ts';
import { acquireLock } from '../lab/system/files/file-lock.mjs';
import { mergeReruns, selectReruns } from './tap/reruns.ts';
import { runTap } from './tap/run-tap.ts';
import { type Case, junitOf } from './tap/tap-summary.ts';
import { testsOnGithub } from './tap/tests-on-github.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = path.join(root, '.tap');
const heartbeatMs = 30_000;
/** For one file, in seconds; .taprc has the usual one. */
const nightlyTimeout = 20_000;

const checks: readonly (readonly [name: string, file: string, ...args: readonly string[]])[] = [
  ['types', 'tsc'],
  ['format, lint and arrows between rooms', 'biome', 'check', '--error-on-warnings', '.'],
  ['unused code', 'knip', '--no-progress'],
];

const check = async ([name, file, ...args]: (typeof checks)[number]): Promise<Case> => {
  const began = performance.now();
  const { exitCode, all } = await execa(file, args, { cwd: root, preferLocal: true, reject: false, all: true });
  const passed = exitCode === 0;
  process.stdout.write(`${passed ? '✓' : '✗'} ${name}\n${passed ? '' : `${all}\n`}`);
  return {
    file: 'checks',
    name,
    ms: performance.now() - began,
    state: passed ? 'pass' : 'fail',
    why: passed ? '' : all,
  };
};

/** Runs the tests with one line a test file on stdout as they end; `raw` is a name for what they print. */
const runTests = async (files: readonly string[], raw: string, jobs?: number): Promise<readonly Case[]> => {
  const began = performance.now();
  let last = began;
  const beat = setInterval(() => {
    if (performance.now() - last > heartbeatMs)
      process.stdout.write(`… ${Math.round((performance.now() - began) / 1000)} s\n`);
  }, heartbeatMs);
  const onLine = (line: string) => {
    const file = /^(?<verdict>ok|not ok) \d+ - (?<name>.+?)(?: # (?<time>time=\S+|SKIP.*|TODO.*))?(?: \{)?$/.exec(
      line,
    )?.groups;
    if (!file) return;
    last = performance.now();
    process.stdout.write(`${file['verdict'] === 'ok' ? '✓' : '✗'} ${file['name']} ${file['time'] ?? ''}\n`);
  };
  const isLong = process.env['LAB_NIGHTLY'] || process.env['LAB_CAMPAIGN_ROUNDS'];
  const timeout = isLong ? nightlyTimeout : undefined;
  const cases = await runTap({ files, raw: path.join(results, raw), timeout, jobs, onLine });
  clearInterval(beat);
  return cases;
};

const command = new Command('test')
  .description('Checks types, format, lint and unused code, then runs all tests, or only runs the named test files.')
  .argument('[files...]', 'test files, as test/rules/tree.test.ts')
  .option('--without <folder>', 'leave out the tests in this folder, of all')
  .parse();
const { args: named } = command;
const { without } = command.opts<{ without?: string }>();

// what the tests leave lies in the same folder for all: two runs at once would take each other's results
const release = await acquireLock(path.join(root, '.tap-lock'), {
  onWait: (holder) => process.stdout.write(`waiting for the tests of process ${holder} in this checkout\n`),
});
await fs.rm(results, { recursive: true, force: true });
await fs.mkdir(results, { recursive: true });
/** All but the tests in a folder that something else runs; tap finds all of them by itself. */
const others = async (folder: string): Promise<readonly string[]> =>
  (await Array.fromAsync(fs.glob('test/**/*.test.ts', { cwd: root })))
    .filter((file) => !file.startsWith(path.join(folder, '/')))
    .toSorted();
// a run of named files is a look at just these
const isWhole = named.length === 0;
const files = isWhole && without !== undefined ? await others(without) : named;
const checked: Case[] = [];
if (isWhole) for (const one of checks) checked.push(await check(one));
const first = [...checked, ...(await runTests(files, 'raw.tap'))];
const again = isWhole ? selectReruns(first) : [];
if (again.length > 0) process.stdout.write(`once more, one at a time: ${again.join(', ')}\n`);
const second = again.length > 0 ? await runTests(again, 'raw-again.tap', 1) : [];
const { cases, unsteady } = mergeReruns(first, second);
await fs.writeFile(path.join(results, 'junit.xml'), junitOf(cases));

const indented = (text: string): string => text.replace(/^/gm, '  ');
const count = (state: Case['state']): number => cases.filter((test) => test.state === state).length;
for (const { file, name, why } of unsteady)
  process.stdout.write(`\nunsteady, passed when run once more: ${file} > ${name}\n${indented(why)}\n`);
for (const { file, name, state, why } of cases) {
  if (state === 'skip') process.stdout.write(`skipped: ${file} > ${name}: ${why || 'no reason given'}\n`);
  if (state === 'fail') process.stdout.write(`\nfailed: ${file} > ${name}\n${indented(why)}\n`);
}
process.stdout.write(`${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped\n`);
release();
await tellGithub(testsOnGithub(cases, unsteady));
process.exitCode = count('fail') > 0 || count('pass') === 0 ? 1 : 0;
