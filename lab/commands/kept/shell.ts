import type { Command } from 'commander';
import { openKept } from '../../machine/machines.ts';
import { usageFault } from '../../system/errors.ts';
import type { CommandContext } from '../context.ts';
import { keptBoard } from './kept.ts';

type ShellFlags = { readonly id?: string; readonly board?: string; readonly instance?: string };

const shell = async (flags: ShellFlags, { signal }: CommandContext): Promise<void> => {
  const { folder, id, what } = await keptBoard(flags.id, flags.board);
  if (flags.instance !== undefined && !/^[\w.]+$/.test(flags.instance))
    throw usageFault(`'${flags.instance}' is no task id`);
  const machine = await openKept(folder);
  process.stderr.write(`${id}: ${what}\n`);
  await machine.shell(flags.instance, signal);
};

export const addShellCommand = (program: Command, context: CommandContext): void => {
  program
    .command('shell')
    .description('open a shell on a kept machine')
    .option('--id <id>', 'which machine (default: the newest)')
    .option('--board <name>', 'which board, of several: board-1, board-2, …')
    .option('--instance <task>', "inside an instance's network namespace")
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- shell\n  npm run lab -- shell --instance lab.test.hello.test.instance.0',
    )
    .action((flags: ShellFlags) => shell(flags, context));
};
