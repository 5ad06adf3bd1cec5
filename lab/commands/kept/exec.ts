import type { Command } from 'commander';
import { openKept } from '../../machine/machines.ts';
import type { CommandContext } from '../context.ts';
import { keptBoard } from './kept.ts';

type ExecFlags = { readonly id?: string; readonly board?: string; readonly instance?: string };

const exec = async (program: string, args: readonly string[], flags: ExecFlags, context: CommandContext) => {
  const { folder } = await keptBoard(flags.id, flags.board);
  const machine = await openKept(folder);
  const enter = flags.instance === undefined ? [] : ['ip', 'netns', 'exec', flags.instance];
  const argv: string[] = [...enter, program, ...args];
  const { code, stdout, stderr } = await machine.exec(argv, context.signal);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  context.exit(code);
};

export const addExecCommand = (program: Command, context: CommandContext): void => {
  program
    .command('exec')
    .description('run a program on a kept machine')
    .argument('<program>')
    .argument('[args...]')
    .option('--id <id>', 'which machine (default: the newest)')
    .option('--board <name>', 'which board, of several: board-1, board-2, …')
    .option('--instance <task>', "inside an instance's network namespace")
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- exec ip netns list\n  npm run lab -- exec --instance lab.test.hello.test.instance.0 ip address',
    )
    .action((name: string, args: readonly string[], flags: ExecFlags) => exec(name, args, flags, context));
};
