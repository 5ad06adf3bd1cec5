import fs from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { diff, refuseEmpty } from '../../report/compare/diff.ts';
import { diffTerminal } from '../../report/compare/diff-terminal.ts';
import { terminal } from '../../report/formats/terminal.ts';
import { readResults } from '../../report/read.ts';
import { usageFault } from '../../system/errors.ts';
import { type CommandContext, defaultReports, printJson } from '../context.ts';
import { coloursOf } from '../progress.ts';
import { compareWithBaseline, saveBaseline } from './baseline.ts';
import { addList } from './list.ts';
import { addMerge } from './merge.ts';
import { reproduce } from './reproduce.ts';
import { addStandingReport } from './standing.ts';
import { addTrend } from './trend.ts';
import { verify } from './verify.ts';

/** A report by its path, or by its name among those of the lab; the newest when nothing is said. */
const locate = async (report: string, reports: string): Promise<string> => {
  const beside = path.join(reports, report);
  const there = await fs.stat(beside).catch(() => undefined);
  return there ? beside : report;
};

type ReportFlags = { readonly reports: string; readonly json: boolean };

const show = async (folder: string, flags: ReportFlags) => {
  const results = await readResults(folder);
  if (flags.json) printJson(results);
  else process.stdout.write(terminal(results, { colours: coloursOf(process.stdout), folder }));
};

type CompareFlags = { readonly reports: string; readonly json: boolean; readonly baseline: boolean };

const compare = async (first: string, second: string | undefined, flags: CompareFlags, context: CommandContext) => {
  if (flags.baseline && second !== undefined)
    throw usageFault('with --baseline there is one report: the baseline takes the place of the other');
  if (flags.baseline) return await compareWithBaseline(await locate(first, flags.reports), first, flags.json, context);
  if (second === undefined) throw usageFault('name two reports, or one and --baseline');
  const { exit } = context;
  const [before, after] = await Promise.all(
    [first, second].map(async (report) => readResults(await locate(report, flags.reports))),
  );
  if (!before || !after) return;
  const found = diff(before, after);
  if (flags.json) printJson(found);
  refuseEmpty(found, before);
  if (!flags.json) process.stdout.write(diffTerminal(found, coloursOf(process.stdout)));
  exit(found.regression ? 1 : 0);
};

export const addReportCommand = (program: Command, context: CommandContext): void => {
  const report = program
    .command('report')
    .description('show, list, compare, repeat and merge reports; alone: what was done with a standing lab');
  addStandingReport(report, context);
  const add = (name: string, about: string) =>
    report
      .command(name)
      .description(about)
      .option('--reports <folder>', 'the folder of the reports', defaultReports)
      .option('--json', 'one JSON document on stdout', false);
  /** A command about one report, which `act` is given by its path. */
  const addOf = (
    name: string,
    description: string,
    help: string,
    act: (report: string, flags: ReportFlags) => Promise<void>,
  ) =>
    add(name, description)
      .argument('[report]', 'its folder or name', 'latest')
      .addHelpText('after', help)
      .action(async (given: string, flags: ReportFlags) => act(await locate(given, flags.reports), flags));
  addOf(
    'show',
    'show a report in the terminal',
    '\nExamples:\n  npm run lab -- report show\n  npm run lab -- report show reports/latest --json',
    show,
  );
  addList(add('list', 'list reports: all of them, oldest first, unless something else is asked for'));
  add('diff', 'compare two runs: which figures are better, worse or the same')
    .argument('<before>', 'the earlier report; the only one with --baseline')
    .argument('[after]', 'the later report')
    .option('--baseline', 'compare a deterministic run with the committed baseline', false)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- report diff reports/BEFORE reports/AFTER\n  npm run lab -- report diff --baseline latest\n\nExit codes: 0 no regression, 1 a regression, 2 not comparable.\nA figure is judged from 4 replicates on: npm run lab -- scenario bridged --machine local --replicates 5',
    )
    .action((first: string, second: string | undefined, flags: CompareFlags) => compare(first, second, flags, context));
  addOf(
    'reproduce',
    'run what a report is of once more, from the report alone, and compare',
    '\nExit codes: 0 all is the same but times, 1 the outcome differs, 2 something else was run (machine, options, inputs).\n\nExample:\n  npm run lab -- report reproduce reports/20260401T101500-1a2b3c-bridged-virt',
    (folder, flags) => reproduce(folder, flags, context),
  );
  addOf(
    'verify',
    'recompute the digests that a report names, as far as that can be done here',
    '\nExit codes: 0 all that could be recomputed are the same, 1 one differs, 2 none could be recomputed.\n\nExample:\n  npm run lab -- report verify latest',
    (folder, { json }) => verify(folder, json, context),
  );
  addMerge(add('merge', 'join the reports of the shards of a suite'), context);
  addTrend(report.command('trend').description('make one page of past reports: instructions and failures by commit'));
  addOf(
    'baseline',
    'make the baseline of a scenario and a machine from a deterministic run with five seeds or more',
    '\nExample:\n  npm run lab -- scenario bridged --deterministic --seeds 5\n  npm run lab -- report baseline latest',
    (folder, { json }) => saveBaseline(folder, json),
  );
};
