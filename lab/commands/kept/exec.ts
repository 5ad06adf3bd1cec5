import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { addBoardOptions, type BoardFlags, openBoard } from './board.ts';

type ExecFlags = BoardFlags & { readonly instance?: string };

const exec = async (program: string, args: readonly string[], flags: ExecFlags, context: CommandContext) => {
  const { machine } = await openBoard(flags);
  const enter = flags.instance === undefined ? [] : ['ip', 'netns', 'exec', flags.instance];
  const argv: string[] = [...enter, program, ...args];
  const { code, stdout, stderr } = await machine.exec(argv, context.signal);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  context.exit(code);
};

export const addExecCommand = (program: Command, context: CommandContext): void => {
  const command = program
    .command('exec')
    .description('run a program on the board of a standing lab, or on a kept machine')
    .argument('<program>', 'what to run, found on the PATH of the board')
    .argument('[args...]', 'its arguments, handed on as they are');
  addBoardOptions(command)
    .option('--instance <task>', "inside an instance's network namespace")
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- exec ip netns list\n  npm run lab -- exec --instance lab.test.hello.test.instance.0 ip address',
    )
    .action((name: string, args: readonly string[], flags: ExecFlags) => exec(name, args, flags, context));
};
