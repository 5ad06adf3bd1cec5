import type { Results, Verdict } from '../model/results.ts';
import { expectationLine, machineOf, reasonOf } from './format.ts';

/** Text for XML 1.0: markup and white space escaped, characters that XML does not have replaced. */
const xml = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, '\ufffd')
    .replace(/[<>&"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);

const attributes = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${xml(String(value))}"`)
    .join('');

type Case = { readonly name: string; readonly place: string; readonly verdict: Verdict; readonly text: string };

/** A failure is the product's fault, an error the lab's, and what could not be judged was skipped. */
const elements: Readonly<Record<Exclude<Verdict, 'passed'>, string>> = {
  failed: 'failure',
  error: 'error',
  incomplete: 'skipped',
};

const casesOf = (results: Results): readonly Case[] => {
  const { failure } = results.run;
  const cases = results.steps.map(({ name, place: kind, board, verdict, expectations }): Case => {
    const unmet = expectations.filter((one) => one.verdict !== 'passed').map(expectationLine);
    const said = failure?.step === name ? [failure.message] : [];
    const place = board === undefined ? kind : `${board}.${kind}`;
    return { name, place, verdict, text: [...unmet, ...said].join('\n') };
  });
  const told = cases.some(({ verdict }) => verdict === results.verdict);
  if (told || results.verdict === 'passed') return cases;
  const name = failure?.step ?? 'run';
  return [...cases, { name, place: 'lab', verdict: results.verdict, text: reasonOf(results) ?? results.verdict }];
};

/** The test suite of one run: one case a step. */
export const junitSuite = (results: Results): string => {
  const { scenario, machine, run } = results;
  const cases = casesOf(results);
  const count = (verdict: Verdict) => cases.filter((one) => one.verdict === verdict).length;
  const seconds = (name: string) => (run.timings.find((timing) => timing.name === name)?.ms ?? 0) / 1000;
  const suite = `${scenario.name} on ${machineOf(results)}`;
  const lines = cases.map((one) => {
    const head = `    <testcase${attributes({ classname: `${scenario.name}.${one.place}`, name: one.name, time: seconds(one.name) })}`;
    if (one.verdict === 'passed') return `${head}/>`;
    const message = one.text.split('\n')[0] ?? '';
    return `${head}><${elements[one.verdict]}${attributes({ message })}>${xml(one.text)}</${elements[one.verdict]}></testcase>`;
  });
  const properties = { machine: machine.name, fidelity: machine.fidelity, commit: run.revision.commit, run: run.id };
  return [
    `  <testsuite${attributes({
      name: suite,
      tests: cases.length,
      failures: count('failed'),
      errors: count('error'),
      skipped: count('incomplete'),
      time: run.seconds,
      timestamp: run.started,
    })}>`,
    '    <properties>',
    ...Object.entries(properties).map(([name, value]) => `      <property${attributes({ name, value })}/>`),
    '    </properties>',
    ...lines,
    '  </testsuite>',
  ].join('\n');
};

/** A test suite that says only how something ended, where no results say it. */
export const outcomeSuite = (name: string, verdict: Verdict, seconds: number, reason: string): string => {
  const outcome =
    verdict === 'passed' ? '' : `<${elements[verdict]}${attributes({ message: reason.split('\n')[0] ?? '' })}/>`;
  const count = (one: Verdict) => (verdict === one ? 1 : 0);
  return [
    `  <testsuite${attributes({
      name,
      tests: 1,
      failures: count('failed'),
      errors: count('error'),
      skipped: count('incomplete'),
      time: seconds,
    })}>`,
    `    <testcase${attributes({ classname: 'suite', name, time: seconds })}>${outcome}</testcase>`,
    '  </testsuite>',
  ].join('\n');
};

/** A JUnit document with these test suites. */
export const junitDocument = (suites: readonly string[]): string =>
  ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>', ''].join('\n');

/** `junit.xml` of one run. */
export const junit = (results: Results): string => junitDocument([junitSuite(results)]);
