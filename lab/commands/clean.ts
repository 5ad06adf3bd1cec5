import fs from 'node:fs/promises';
import type { Command } from 'commander';
import { cacheRoot } from '../system/files/cache.ts';
import { keptRuns, listRuns, reapRuns, removeRun } from '../system/runs.ts';
import type { CommandContext } from './context.ts';

/** Removes what killed runs left, and on request kept machines and the cache. Never what a living run uses. */
const clean = async (flags: { readonly kept: boolean; readonly cache: boolean }): Promise<void> => {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const dead = await reapRuns();
  for (const { id, what } of dead) say(`removed ${id} (${what}), whose lab had ended`);
  const kept = flags.kept ? await keptRuns() : [];
  for (const run of kept)
    say(
      (await removeRun(run))
        ? `ended the kept machine ${run.id} (${run.what})`
        : `the kept machine ${run.id} (${run.what}) stays: it is in another container, on the host ${run.host}`,
    );
  const left = await listRuns();
  if (flags.cache) {
    if (left.length > 0)
      say(`the cache stays: ${left.length} machine(s) use it (${left.map(({ id }) => id).join(', ')})`);
    else {
      await fs.rm(cacheRoot(), { recursive: true, force: true });
      say(`removed ${cacheRoot()}`);
    }
  }
  if (dead.length + kept.length === 0 && !flags.cache) say('nothing to remove');
};

export const addCleanCommand = (program: Command, _context: CommandContext): void => {
  program
    .command('clean')
    .description('remove what killed runs left behind')
    .option('--kept', 'end kept machines too', false)
    .option('--cache', 'remove the cache too', false)
    .addHelpText('after', '\nExamples:\n  npm run lab -- clean\n  npm run lab -- clean --kept --cache')
    .action(clean);
};
