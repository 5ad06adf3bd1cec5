import type { Annotation } from '../../lab/report/formats/github.ts';
import { cell, fenced, table } from '../../lab/report/formats/markdown.ts';
import type { Case } from './tap-summary.ts';

/** The line of a test file that a failure names in its title, as `failureText` writes it. */
const lineOf = ({ file, why }: Case): number | undefined => {
  const [, place = '', line] = /\((\S+?):(\d+):\d+\)$/.exec(why.split('\n')[0] ?? '') ?? [];
  return place.endsWith(file) ? Number(line) : undefined;
};

const remark = (level: Annotation['level'], words: string, test: Case): Annotation => {
  const { file, name, why } = test;
  const line = lineOf(test);
  const place = file.endsWith('.ts') ? { file, ...(line === undefined ? {} : { line }) } : {};
  return { level, title: `${words}: ${name}`, message: why || name, ...place };
};

/**
 * What GitHub is told of a run of tests: what failed at its line, what passed only when it ran once more, and why what was
 * skipped was.
 */
export const testsOnGithub = (cases: readonly Case[], unsteady: readonly Case[]) => {
  const of = (state: Case['state']) => cases.filter((one) => one.state === state);
  const [passed, failed, skipped] = [of('pass'), of('fail'), of('skip')];
  const title = `# Tests: ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`;
  const rows = (tests: readonly Case[]) => tests.map(({ file, name, why }) => [file, name, why.split('\n')[0] ?? '']);
  return {
    summary: [
      ...[title, ''],
      ...(failed.length > 0 ? ['## Failed', ''] : []),
      ...failed.flatMap(({ file, name, why }) => [`${cell(file)}: ${cell(name)}`, '', ...fenced(why), '']),
      ...(unsteady.length > 0 ? ['## Unsteady: passed when run once more', ''] : []),
      ...[...table(['file', 'test', 'why'], rows(unsteady)), ''],
      ...(skipped.length > 0 ? ['## Skipped', ''] : []),
      ...[...table(['file', 'test', 'why'], rows(skipped)), ''],
    ].join('\n'),
    annotations: [
      ...failed.map((one) => remark('error', 'failed', one)),
      ...unsteady.map((one) => remark('warning', 'unsteady', one)),
    ],
  };
};
