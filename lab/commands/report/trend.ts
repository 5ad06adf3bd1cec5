import fs from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { trendPage } from '../../report/html/trend.ts';
import { findReports } from '../../report/trend/find.ts';
import { trendsOf } from '../../report/trend/trend.ts';
import { commitTimes } from '../../scenario/run/provenance.ts';
import { writeAtomically } from '../../system/files/cache.ts';
import { defaultReports, printJson } from '../context.ts';
import { readBaselines } from './baseline.ts';

type TrendFlags = { readonly output: string | undefined; readonly json: boolean };

const trend = async (folder: string, { output, json }: TrendFlags): Promise<void> => {
  const file = output ?? path.join(folder, 'trend.html');
  const { runs, troubles } = await findReports(folder);
  const times = await commitTimes();
  const trends = trendsOf(
    runs.map((run) => ({ ...run, folder: path.relative(path.dirname(file), run.folder) })),
    (commit) => times.get(commit),
    await readBaselines(),
  );
  await fs.mkdir(path.dirname(file), { recursive: true });
  await writeAtomically(file, trendPage(trends, troubles));
  if (json) printJson({ file, runs: runs.length, troubles });
  else process.stdout.write(`${path.relative('', file)}: ${runs.length} runs\n`);
};

/** Makes a command of `report` out of `command`. */
export const addTrend = (command: Command): void => {
  command
    .argument('[folder]', 'a folder with reports in it or below it', defaultReports)
    .option('--output <file>', "the page to write (default: trend.html in the reports' folder)")
    .option('--json', 'one JSON document on stdout', false)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- report trend\n  npm run lab -- report trend artifacts --output trend.html',
    )
    .action(trend);
};
