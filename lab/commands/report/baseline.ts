import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidData, parseJson } from '../../../worker/contract/check.ts';
import { judgeRun } from '../../report/compare/judge.ts';
import { judgedTerminal } from '../../report/compare/judge-terminal.ts';
import { reasonOf } from '../../report/formats/wording.ts';
import { Baseline, baselineName, baselineOf, commandsForBaseline } from '../../report/model/baseline.ts';
import { readResults } from '../../report/read.ts';
import { LabError } from '../../system/errors.ts';
import { writeAtomically } from '../../system/files/cache.ts';
import { type CommandContext, printJson } from '../context.ts';
import { coloursOf } from '../progress.ts';

const folder = fileURLToPath(new URL('../../../reports/baselines/', import.meta.url));

const readBaseline = async (file: string, next: readonly string[]): Promise<Baseline> => {
  const incomplete = (message: string, cause: unknown) =>
    new LabError(message, { fault: 'incomplete', next: [...next], cause });
  const text = await fs.readFile(file, 'utf8').catch((error: unknown) => {
    throw incomplete('there is no baseline for this scenario on this machine', error);
  });
  try {
    return parseJson(Baseline, text, file);
  } catch (error) {
    throw error instanceof InvalidData || error instanceof SyntaxError
      ? incomplete(`the baseline ${file} is damaged`, error)
      : error;
  }
};

/** Every committed baseline. */
export const readBaselines = async (): Promise<readonly Baseline[]> => {
  const names = (await fs.readdir(folder)).filter((name) => name.endsWith('.json'));
  return await Promise.all(
    names
      .toSorted()
      .map((name) => readBaseline(path.join(folder, name), [`git checkout -- reports/baselines/${name}`])),
  );
};

/** Compares a deterministic run with the committed baseline. Exits with 1 for a regression, 2 where none can be told. */
export const compareWithBaseline = async (
  report: string,
  name: string,
  asJson: boolean,
  { exit }: CommandContext,
): Promise<void> => {
  const results = await readResults(report);
  const accept = commandsForBaseline(results, name);
  const baseline = await readBaseline(path.join(folder, baselineName(results)), accept);
  const figures = judgeRun(baseline, results);
  const isWorse = results.verdict === 'failed' || figures.some(({ judgement }) => judgement === 'worse');
  if (asJson) printJson({ figures, regression: isWorse });
  else {
    if (results.verdict === 'failed') process.stdout.write(`the run failed: ${reasonOf(results) ?? ''}\n\n`);
    process.stdout.write(judgedTerminal(figures, accept, coloursOf(process.stdout)));
  }
  exit(isWorse ? 1 : 0);
};

/** Makes the baseline of a deterministic run's scenario and machine. */
export const saveBaseline = async (report: string, asJson: boolean): Promise<void> => {
  const results = await readResults(report);
  const baseline = baselineOf(results);
  const file = path.join(folder, baselineName(results));
  await fs.mkdir(folder, { recursive: true });
  await writeAtomically(file, `${JSON.stringify(baseline, undefined, 2)}\n`);
  if (asJson) printJson({ file });
  else process.stdout.write(`${path.relative('', file)}: commit it\n`);
};
