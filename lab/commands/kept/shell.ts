import type { Command } from 'commander';
import { usageFault } from '../../system/errors.ts';
import type { CommandContext } from '../context.ts';
import { addBoardOptions, type BoardFlags, openBoard } from './board.ts';

type ShellFlags = BoardFlags & { readonly instance?: string };

const shell = async (flags: ShellFlags, { signal }: CommandContext): Promise<void> => {
  if (flags.instance !== undefined && !/^[\w.]+$/.test(flags.instance))
    throw usageFault(`'${flags.instance}' is no task id`);
  const { machine, id, description } = await openBoard(flags);
  process.stderr.write(`${id}: ${description}\n`);
  await machine.shell(flags.instance, signal);
};

export const addShellCommand = (program: Command, context: CommandContext): void => {
  const command = program
    .command('shell')
    .description('open a shell on the board of a standing lab, or on a kept machine');
  addBoardOptions(command)
    .option('--instance <task>', "inside an instance's network namespace")
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- shell\n  npm run lab -- shell --instance lab.test.hello.test.instance.0',
    )
    .action((flags: ShellFlags) => shell(flags, context));
};
