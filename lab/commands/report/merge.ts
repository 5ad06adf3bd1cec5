import path from 'node:path';
import type { Command } from 'commander';
import { writeSuite } from '../../report/folder.ts';
import { suiteOnGithub } from '../../report/formats/github.ts';
import { suiteTerminal } from '../../report/formats/terminal.ts';
import { tellGithub } from '../../report/github.ts';
import { mergeShards } from '../../report/model/shards.ts';
import { suiteVerdict } from '../../report/model/suite.ts';
import { copyReports, readShards } from '../../report/read-shards.ts';
import { usageFault } from '../../system/errors.ts';
import { newId } from '../../system/runs.ts';
import { type CommandContext, exitWith, printJson } from '../context.ts';
import { coloursOf } from '../progress.ts';
import { leaveReport } from '../trouble.ts';

type MergeFlags = { readonly reports: string; readonly json: boolean };

const merge = async (folders: readonly string[], flags: MergeFlags, context: CommandContext): Promise<void> => {
  const [first, ...others] = await readShards(folders);
  if (first === undefined) throw usageFault('name the reports of the shards');
  const entries = mergeShards([first, ...others]);
  const folder = path.join(flags.reports, `${newId()}-suite`);
  const isWritten = await leaveReport(folder, async () => {
    await copyReports([first, ...others], flags.reports);
    await writeSuite(folder, entries);
  });
  const listed = entries.map(({ results: _, ...entry }) => entry);
  if (flags.json) printJson({ ...(isWritten ? { folder } : {}), entries: listed });
  const where = isWritten ? `report: ${path.relative('', folder)}\n` : '';
  process.stderr.write(`\n${suiteTerminal(entries, coloursOf(process.stderr) ? 1 : 0)}${where}`);
  await tellGithub(suiteOnGithub(entries));
  exitWith(context, suiteVerdict(entries));
};

/** Makes a command of `report` out of `command`, which has its common options. */
export const addMerge = (command: Command, context: CommandContext): void => {
  command
    .argument('<folders...>', 'reports of the shards of one suite, or folders with them and the reports of their runs')
    .addHelpText(
      'after',
      `
Exit codes are those of the whole suite; 2 where a shard is missing.

Examples:
  npm run lab -- report merge shard-1 shard-2 shard-3
  npm run lab -- report merge artifacts/* --reports ./merged`,
    )
    .action((folders: readonly string[], flags: MergeFlags) => merge(folders, flags, context));
};
