import path from 'node:path';
import type { Command } from 'commander';
import { execa } from 'execa';
import { enterKept } from '../machine/local/kept.ts';
import { GuestAgent } from '../machine/qemu/agent.ts';
import { runFiles } from '../machine/qemu/command.ts';
import { JsonChannel } from '../machine/qemu/json-channel.ts';
import type { CommandContext } from './context.ts';
import { keptRun } from './kept.ts';

const boardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type ExecFlags = { readonly id?: string; readonly instance?: string };

/** Runs a program on a kept machine, whatever that is made of. */
const runThere = async (folder: string, argv: readonly string[], signal: AbortSignal) => {
  const enter = await enterKept(folder);
  if (enter) {
    const [file = '', ...args] = [...enter, ...argv];
    const { exitCode, stdout, stderr } = await execa(file, args, {
      env: { HOME: '/root', PATH: boardPath },
      reject: false,
      stripFinalNewline: false,
      cancelSignal: signal,
    });
    return { code: exitCode ?? 255, stdout, stderr };
  }
  using channel = await JsonChannel.open(path.join(folder, runFiles.agent));
  return await new GuestAgent(channel).exec(argv, { signal });
};

const exec = async (program: string, args: readonly string[], flags: ExecFlags, context: CommandContext) => {
  const run = await keptRun(flags.id);
  const enter = flags.instance === undefined ? [] : ['ip', 'netns', 'exec', flags.instance];
  const argv: string[] = [...enter, program, ...args];
  const { code, stdout, stderr } = await runThere(run.folder, argv, context.signal);
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
    .option('--instance <task>', "inside an instance's network namespace")
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- exec ip netns list\n  npm run lab -- exec --instance lab.test.hello.test.instance.0 ip address',
    )
    .action((name: string, args: readonly string[], flags: ExecFlags) => exec(name, args, flags, context));
};
