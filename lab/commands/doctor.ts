import type { Command } from 'commander';
import { ownMachines } from '../machine/hardware/definition.ts';
import { findMachineKind } from '../machine/machines.ts';
import { reap } from '../machine/reap.ts';
import { examine } from '../machine/troubles.ts';
import { remarkSign, verdictSigns } from '../report/formats/verdict.ts';
import type { CheckResult } from '../system/check-result.ts';
import { exitCodes, usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import { type CommandContext, defaultReports, printJson } from './context.ts';
import { openBoard } from './kept/board.ts';
import type { Need } from './preflight/check.ts';
import { checks, examineComputer } from './preflight/preflight.ts';

type DoctorFlags = { readonly json: boolean; readonly machine?: string | true };

/** Not every run needs these: what they lack is a remark here. */
const optional: ReadonlySet<Need> = new Set(['namespaces', 'ssh']);

/** All that can be known about this computer. */
const checkComputer = async (signal: AbortSignal): Promise<readonly CheckResult[]> => {
  const subject = { reports: defaultReports, signal };
  const needed = new Set(checks.map(({ need }) => need)).difference(optional);
  const extras = await examineComputer(optional, subject);
  return [...(await examineComputer(needed, subject)), ...extras.map((one) => ({ ...one, ok: true, fatal: false }))];
};

/** What is wrong with a board of the user's own, or known troubles of a kept machine. */
const checkMachine = async (id: string | undefined, signal: AbortSignal): Promise<readonly CheckResult[]> => {
  const kind = id === undefined ? undefined : findMachineKind(id);
  if (kind?.examine) {
    const needed: ReadonlySet<Need> = new Set(['every run', ...kind.requires]);
    const fatal = (await examineComputer(needed, { reports: defaultReports, signal })).filter((one) => one.fatal);
    if (fatal.length > 0) return fatal;
    await reap();
    return await kind.examine(signal);
  }
  if (id !== undefined && !/^\d{8}T/.test(id)) throw usageFault(`no machine '${id}'${nearest(id, ownMachines())}`);
  const { id: run, description, machine } = await openBoard(id === undefined ? {} : { id });
  const troubles = await examine((argv) => machine.exec(argv, signal));
  if (troubles.length === 0) return [{ name: run, ok: true, detail: `no known trouble on ${description}` }];
  return troubles.map(({ remedy, ...trouble }) => ({ ...trouble, ok: false, remedy: remedy.join('\n    ') }));
};

const signOf = ({ ok, remedy }: CheckResult): string => {
  if (!ok) return verdictSigns.failed;
  return remedy === undefined ? verdictSigns.passed : remarkSign;
};

const doctor = async (flags: DoctorFlags, { signal, exit }: CommandContext): Promise<void> => {
  const results =
    flags.machine === undefined
      ? await checkComputer(signal)
      : await checkMachine(flags.machine === true ? undefined : flags.machine, signal);
  if (flags.json) printJson(results);
  else
    for (const result of results) {
      const { name, detail, remedy } = result;
      process.stdout.write(`${signOf(result)} ${name}: ${detail}\n${remedy === undefined ? '' : `    ${remedy}\n`}`);
    }
  exit(results.every(({ ok }) => ok) ? exitCodes.passed : exitCodes.lab);
};

export const addDoctorCommand = (program: Command, context: CommandContext): void => {
  program
    .command('doctor')
    .description("check this computer's prerequisites, or a board's")
    .option('--json', 'the results as one JSON document on stdout', false)
    .option(
      '--machine [id]',
      'look at a board of your own, or at a kept machine (default: the standing lab, or the newest)',
    )
    .addHelpText('after', '\nExamples:\n  npm run lab -- doctor\n  npm run lab -- doctor --machine')
    .action((flags: DoctorFlags) => doctor(flags, context));
};
