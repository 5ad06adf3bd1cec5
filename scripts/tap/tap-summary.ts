import { Parser, type Result } from 'tap-parser';
import { type JunitOutcome, junitDocument } from '../../lab/report/formats/junit-xml.ts';
import { failureText } from './failure-text.ts';

/** One test: a subtest directly below a test file, or below the process that a file starts again in namespaces. */
export type Case = {
  readonly file: string;
  readonly name: string;
  readonly ms: number;
  readonly state: 'pass' | 'fail' | 'skip';
  readonly why: string;
};

const reasonOf = ({ skip, todo }: Result): string => [skip, todo].find((reason) => typeof reason === 'string') ?? '';

const toCase = (file: string, result: Result, detail: string): Case => ({
  file,
  name: result.name,
  ms: result.time ?? 0,
  state: result.skip || result.todo ? 'skip' : result.ok ? 'pass' : 'fail',
  why: reasonOf(result) || detail || (result.ok ? '' : failureText(result)),
});

/** What failed in a subtest: each of its failed assertions, the deeper ones first, and not the subtests that hold them. */
const failuresIn = (parser: Parser, into: string[]): void => {
  let said: { readonly name: string; readonly before: number } | undefined;
  parser.on('child', (child: Parser) => {
    said = { name: child.name, before: into.length };
    failuresIn(child, into);
  });
  parser.on('assert', (result: Result) => {
    const isOfChild = said?.name === result.name && into.length > said.before;
    if (!result.ok && !result.todo && !result.skip && !isOfChild) into.push(failureText(result));
  });
};

/** A subtest that is a whole process, in namespaces of its own, stands for the tests in it. */
const isProcess = (name: string): boolean => name.startsWith('unshare ');

const testsIn = (parser: Parser, file: string, into: Case[]): void => {
  let detail: string[] = [];
  parser.on('child', (test: Parser) => {
    detail = [];
    if (isProcess(test.name)) testsIn(test, file, into);
    else failuresIn(test, detail);
  });
  parser.on('assert', (result: Result) => {
    if (!isProcess(result.name)) into.push(toCase(file, result, detail.join('\n')));
    detail = [];
  });
};

/**
 * The tests of a run out of its raw TAP. A file that fails although none of its tests does (a crash, a timeout, no test
 * at all) counts as one failed test of its own name; an empty file is never a pass.
 */
export const collect = (tap: string): readonly Case[] => {
  const cases: Case[] = [];
  const byFile = new Map<string, Case[]>();
  const top = new Parser();
  top.on('child', (file: Parser) => {
    const mine: Case[] = [];
    testsIn(file, file.name, mine);
    byFile.set(file.name, mine);
  });
  top.on('assert', (result: Result) => {
    const mine = byFile.get(result.name) ?? [];
    cases.push(...mine);
    if (mine.length === 0 && result.skip) cases.push(toCase(result.name, result, ''));
    else if (mine.length === 0 || (!result.ok && !mine.some(({ state }) => state === 'fail')))
      cases.push({
        ...toCase(result.name, result, failureText(result)),
        state: 'fail',
        name: 'the file itself',
      });
  });
  top.end(tap);
  return cases;
};

const outcomeOf = ({ state, why }: Case): JunitOutcome | undefined => {
  const message = why.split('\n')[0] ?? '';
  if (state === 'skip') return { element: 'skipped', message };
  return state === 'fail' ? { element: 'failure', message, text: why } : undefined;
};

/** The same as a JUnit document, one suite a file. */
export const junitOf = (cases: readonly Case[]): string =>
  junitDocument(
    [...Map.groupBy(cases, ({ file }) => file)].map(([file, tests]) => ({
      name: file,
      seconds: tests.reduce((sum, { ms }) => sum + ms, 0) / 1000,
      cases: tests.map((test) => ({
        ...{ classname: file, name: test.name, seconds: test.ms / 1000 },
        outcome: outcomeOf(test),
      })),
    })),
  );
