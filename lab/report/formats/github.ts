import type { Results, Verdict } from '../model/results.ts';
import type { SuiteEntry } from '../model/suite.ts';
import { suiteSummary, summary } from './summary.ts';
import { verdictWords } from './verdict.ts';
import { machineOf, plain, reasonOf } from './wording.ts';

/** A remark that GitHub shows beside a job, and beside a line of a changed file where it names one. */
export type Annotation = {
  readonly level: 'error' | 'warning' | 'notice';
  readonly title: string;
  readonly message: string;
  /** From the repository's root. */
  readonly file?: string;
  readonly line?: number;
};

/** GitHub shows at most so many of one level for a step. */
const shownOfLevel = 10;

const escaped = (text: string): string =>
  plain(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const property = (text: string): string => escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/**
 * A remark as a line that GitHub's runner obeys
 * (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands).
 */
export const annotationLine = ({ level, title, message, file, line }: Annotation): string => {
  const place = file === undefined ? [] : [`file=${property(file)}`, ...(line === undefined ? [] : [`line=${line}`])];
  return `::${level} ${[...place, `title=${property(title)}`].join(',')}::${escaped(message)}`;
};

/** As many of them as are shown; the last one of a level says how many are not. */
export const shownAnnotations = (annotations: readonly Annotation[]): readonly Annotation[] =>
  [...Map.groupBy(annotations, ({ level }) => level)].flatMap(([level, all]) => {
    if (all.length <= shownOfLevel) return all;
    const rest = all.length - shownOfLevel + 1;
    const more = {
      level,
      title: `${rest} more`,
      message: 'all of them are in the summary and in the log of this step',
    };
    return [...all.slice(0, shownOfLevel - 1), more];
  });

const levels: Readonly<Record<Exclude<Verdict, 'passed'>, Annotation['level']>> = {
  failed: 'error',
  error: 'error',
  incomplete: 'warning',
};

const outcome = (what: string, verdict: Verdict, reason: string | undefined): readonly Annotation[] =>
  verdict === 'passed'
    ? []
    : [
        {
          level: levels[verdict],
          title: `${what}: ${verdictWords[verdict]}`,
          message: reason ?? verdictWords[verdict],
        },
      ];

/** What GitHub is told of a run: its summary, and why it did not pass. */
export const runOnGithub = (results: Results) => ({
  summary: summary(results),
  annotations: outcome(`${results.scenario.name} on ${machineOf(results)}`, results.verdict, reasonOf(results)),
});

/** What GitHub is told of a suite: all of it as a table, and the summary of each run that did not pass. */
export const suiteOnGithub = (entries: readonly SuiteEntry[]) => ({
  summary: [
    // a link to a file of the report leads nowhere there
    suiteSummary(entries.map(({ report: _, ...entry }) => entry)),
    ...entries.flatMap(({ verdict, results }) => (results && verdict !== 'passed' ? [`#${summary(results)}`] : [])),
  ].join('\n'),
  annotations: entries.flatMap(({ scenario, machine, verdict, reason }) =>
    outcome(`${scenario} on ${machine}`, verdict, reason),
  ),
});
