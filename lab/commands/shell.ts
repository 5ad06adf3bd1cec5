import net from 'node:net';
import path from 'node:path';
import type { Command } from 'commander';
import { runFiles } from '../machine/qemu/command.ts';
import { labFault, usageFault } from '../system/errors.ts';
import type { CommandContext } from './context.ts';
import { keptRun } from './kept.ts';

type ShellFlags = { readonly id?: string; readonly instance?: string };

// Ctrl-] as telnet has it: Ctrl-C belongs to the shell
const leave = 0x1d;

const shell = async (flags: ShellFlags, { signal }: CommandContext): Promise<void> => {
  const run = await keptRun(flags.id);
  if (flags.instance !== undefined && !/^[\w.]+$/.test(flags.instance))
    throw usageFault(`'${flags.instance}' is no task id`);
  const { stdin, stdout } = process;
  const socket = net.connect(path.join(run.folder, runFiles.shell));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error) =>
      reject(labFault(`the machine ${run.id} does not answer: ${error.message}`, ['npm run lab -- clean --kept'])),
    );
  });
  process.stderr.write(`on ${run.what}; Ctrl-] leaves\n`);
  stdin.setRawMode?.(true);
  socket.write(flags.instance === undefined ? '\n' : `exec ip netns exec ${flags.instance} sh\n`);
  socket.pipe(stdout, { end: false });
  const { promise: left, resolve: done } = Promise.withResolvers<void>();
  stdin.on('data', (bytes: Buffer) => (bytes.includes(leave) ? done() : socket.write(bytes)));
  stdin.once('end', done);
  socket.once('close', () => done());
  signal.addEventListener('abort', () => done(), { once: true });
  await left;
  stdin.setRawMode?.(false);
  stdin.pause();
  socket.destroy();
  stdout.write('\n');
};

export const addShellCommand = (program: Command, context: CommandContext): void => {
  program
    .command('shell')
    .description('a shell on a kept machine')
    .option('--id <id>', 'which machine (default: the newest)')
    .option('--instance <task>', "inside an instance's network namespace")
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- shell\n  npm run lab -- shell --instance lab.test.hello.test.instance.0',
    )
    .action((flags: ShellFlags) => shell(flags, context));
};
