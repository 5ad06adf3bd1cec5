import fs from 'node:fs/promises';
import type { Command } from 'commander';
import { reap } from '../machine/reap.ts';
import { endedFault } from '../standing/choose.ts';
import { endLab, findLabs } from '../standing/client.ts';
import { messageOf } from '../system/errors.ts';
import { cacheRoot } from '../system/files/cache.ts';
import { keptRuns, listRuns, removeRun } from '../system/runs.ts';
import type { CommandContext } from './context.ts';

/** Removes what killed runs left, and on request kept machines and the cache. Never what a living run uses. */
const clean = async (
  flags: { readonly kept: boolean; readonly cache: boolean },
  { signal }: CommandContext,
): Promise<void> => {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const { runs: dead, claims } = await reap(say);
  for (const { id, what } of dead) say(`removed ${id} (${what}), whose lab had ended`);
  const { living, ended } = await findLabs();
  for (const one of ended) say(messageOf(endedFault(one)));
  for (const lab of flags.kept ? living : []) {
    await endLab(lab, signal);
    say(`ended the lab '${lab.name}' on ${lab.machine}`);
  }
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
    else if (claims.some(({ problem }) => problem !== undefined))
      say('the cache stays: it says which labgrid places have to be given back');
    else {
      await fs.rm(cacheRoot(), { recursive: true, force: true });
      say(`removed ${cacheRoot()}`);
    }
  }
  const removed = [dead, ended, kept, claims, flags.kept ? living : []].flat();
  if (removed.length === 0 && !flags.cache) say('nothing to remove');
};

export const addCleanCommand = (program: Command, context: CommandContext): void => {
  program
    .command('clean')
    .description('remove what killed runs left behind')
    .option('--kept', 'end standing labs and kept machines too', false)
    .option('--cache', 'remove the cache too', false)
    .addHelpText('after', '\nExamples:\n  npm run lab -- clean\n  npm run lab -- clean --kept --cache')
    .action((flags: { readonly kept: boolean; readonly cache: boolean }) => clean(flags, context));
};
