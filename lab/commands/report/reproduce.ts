import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { compareReproduction, type Difference } from '../../report/compare/reproduction.ts';
import type { Results } from '../../report/model/results.ts';
import { readResults } from '../../report/read.ts';
import { revision } from '../../scenario/run/provenance.ts';
import { exitCodes, LabError } from '../../system/errors.ts';
import { commandLine } from '../../system/quote.ts';
import { type CommandContext, printJson } from '../context.ts';
import { commandToRepeat } from '../repeatable.ts';

const main = fileURLToPath(new URL('../../main.ts', import.meta.url));

/** What a scenario prints with --json. */
const Printed = Type.Object({ folder: Type.Optional(Type.String()), results: Type.Unsafe<Results>(Type.Unknown()) });

const lines = (title: string, found: readonly Difference[]): string =>
  found.length === 0
    ? ''
    : `${title}\n${found.map(({ name, before, after }) => `  ${name}: ${before} -> ${after}\n`).join('')}`;

/** Says where the two revisions differ: what is built from the sources will too. */
const revisionNote = ({ commit, dirty }: Results['run']['revision'], here: Results['run']['revision']): string => {
  if (dirty) return `the report is of ${commit.slice(0, 12)} with changes that were not committed\n`;
  if (commit === here.commit) return here.dirty ? 'this checkout has changes that are not committed\n' : '';
  return `the report is of ${commit.slice(0, 12)}, this checkout is at ${here.commit.slice(0, 12)}: git checkout ${commit.slice(0, 12)}\n`;
};

/**
 * Runs what a report is of once more, from the report alone, and says what came out otherwise. Exits with 0 where all but
 * `run` is the same, 1 where the outcome differs, 2 where something else was run, or as the run itself did when that gave
 * no results.
 */
export const reproduce = async (
  report: string,
  flags: { readonly reports: string; readonly json: boolean },
  { signal, exit }: CommandContext,
): Promise<void> => {
  const before = await readResults(report);
  // `latest` will be another one, and so may the folder that a user is in
  const folder = path.relative('', await fs.realpath(report));
  const command = commandToRepeat(before, folder);
  if (command === undefined)
    throw new LabError(`the report at ${report} does not hold the command that was run`, {
      fault: 'incomplete',
      next: ['only "lab scenario" records it, in reports from this version on: run the scenario again'],
    });
  process.stderr.write(
    `npm run lab -- ${commandLine(command)}\n${revisionNote(before.run.revision, await revision())}`,
  );
  const { exitCode, stdout } = await execa(process.execPath, [main, ...command, '--reports', flags.reports, '--json'], {
    ...{ stdin: 'ignore', stderr: 'inherit', reject: false },
    ...{ cancelSignal: signal, forceKillAfterDelay: 60_000 },
  });
  if (signal.aborted || stdout === '')
    return exit(signal.aborted ? exitCodes.interrupted : (exitCode ?? exitCodes.error));
  const { folder: repeated, results } = parseJson(Printed, stdout, 'what the scenario printed');
  const { inputs, outcome } = compareReproduction(before, results);
  if (flags.json) printJson({ folder: repeated, inputs, outcome });
  else
    process.stdout.write(
      inputs.length + outcome.length === 0
        ? `reproduced: ${before.inputs.length} inputs, ${before.steps.length} steps and ${before.metrics?.length ?? 0} counted figures are the same; for figures of time: npm run lab -- report diff ${commandLine([folder, path.relative('', repeated ?? 'latest')])}\n`
        : `${lines('something else was run:', inputs)}${lines('the outcome differs:', outcome)}`,
    );
  exit(inputs.length > 0 ? exitCodes.incomplete : outcome.length > 0 ? exitCodes.failed : exitCodes.passed);
};
