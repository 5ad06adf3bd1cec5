import type { Command } from 'commander';
import { chooseLab } from '../../standing/choose.ts';
import { endLab, findLabs } from '../../standing/client.ts';
import { labFault, usageFault } from '../../system/errors.ts';
import { keptRuns, removeRun } from '../../system/runs.ts';
import type { CommandContext } from '../context.ts';
import { keptRun } from './kept.ts';

type DownFlags = { readonly lab?: string; readonly id?: string };

const endKept = async (id: string | undefined): Promise<void> => {
  const kept = await keptRuns();
  // other checkouts share the cache: which of several is nobody's to guess
  if (id === undefined && kept.length > 1)
    throw usageFault(`${kept.length} machines are kept: name one of them`, [
      ...kept.map((run) => `npm run lab -- down --id ${run.id}   # ${run.what}`),
      'npm run lab -- clean --kept',
    ]);
  const run = await keptRun(id);
  if (!(await removeRun(run)))
    throw labFault(`${run.id} (${run.what}) cannot be ended from here: it is in another container`, [
      `npm run lab -- down --id ${run.id}, on the host ${run.host}`,
    ]);
  process.stdout.write(`ended ${run.id} (${run.what})\n`);
};

const down = async ({ lab, id }: DownFlags, { signal }: CommandContext): Promise<void> => {
  if (lab !== undefined && id !== undefined) throw usageFault('--lab and --id exclude each other: leave out one');
  if (id !== undefined) return endKept(id);
  const found = await findLabs();
  const nothingElse = lab !== undefined || found.living.length > 0 || (await keptRuns()).length === 0;
  const chosen = nothingElse ? chooseLab(lab, found) : undefined;
  if (chosen === undefined) return endKept(undefined);
  await endLab(chosen, signal);
  process.stdout.write(`ended the lab '${chosen.name}' on ${chosen.machine}\n`);
};

export const addDownCommand = (program: Command, context: CommandContext): void => {
  program
    .command('down')
    .description('end a standing lab, or a kept machine')
    .option('--lab <name>', 'which standing lab (default: the only one)')
    .option('--id <id>', 'which kept machine (default, when no lab stands: the only one)')
    .addHelpText('after', '\nExamples:\n  npm run lab -- down\n  npm run lab -- down --lab other')
    .action((flags: DownFlags) => down(flags, context));
};
