import type { Results, Verdict } from '../model/results.ts';
import type { SuiteEntry } from '../model/suite.ts';
import { type JunitCase, type JunitOutcome, type JunitSuite, junitDocument } from './junit-xml.ts';
import { expectationLine, machineOf, reasonOf } from './wording.ts';

type Case = { readonly name: string; readonly place: string; readonly verdict: Verdict; readonly text: string };

/** A failure is the product's fault, an error the lab's, and what could not be judged was skipped. */
const elements: Readonly<Record<Exclude<Verdict, 'passed'>, JunitOutcome['element']>> = {
  failed: 'failure',
  error: 'error',
  incomplete: 'skipped',
};

const firstLine = (text: string): string => text.split('\n')[0] ?? '';

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
const runSuite = (results: Results): JunitSuite => {
  const { scenario, machine, run } = results;
  const seconds = (name: string) => (run.timings.find((timing) => timing.name === name)?.ms ?? 0) / 1000;
  return {
    name: `${scenario.name} on ${machineOf(results)}`,
    seconds: run.seconds,
    timestamp: run.started,
    properties: { machine: machine.name, fidelity: machine.fidelity, commit: run.revision.commit, run: run.id },
    cases: casesOf(results).map(
      ({ name, place, verdict, text }): JunitCase => ({
        ...{ classname: `${scenario.name}.${place}`, name, seconds: seconds(name) },
        ...(verdict === 'passed' ? {} : { outcome: { element: elements[verdict], message: firstLine(text), text } }),
      }),
    ),
  };
};

/** A test suite that says only how an entry ended, where no results say it. */
const outcomeSuite = ({ scenario, machine, verdict, seconds, reason = '' }: SuiteEntry): JunitSuite => {
  const name = `${scenario} on ${machine} in the suite`;
  const outcome = verdict === 'passed' ? undefined : { element: elements[verdict], message: firstLine(reason) };
  return { name, seconds, cases: [{ classname: 'suite', name, seconds, outcome }] };
};

/** `junit.xml` of one run. */
export const junit = (results: Results): string => junitDocument([runSuite(results)]);

/** `junit.xml` of a suite: the results of each run, and what the suite itself has to say about it beside them. */
export const suiteJunit = (entries: readonly SuiteEntry[]): string =>
  junitDocument(
    entries.flatMap((entry) => [
      ...(entry.results ? [runSuite(entry.results)] : []),
      ...(entry.results?.verdict === entry.verdict ? [] : [outcomeSuite(entry)]),
    ]),
  );
