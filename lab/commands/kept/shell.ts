import net from 'node:net';
import path from 'node:path';
import type { Command } from 'commander';
import { execa } from 'execa';
import { enterKept } from '../../machine/local/kept.ts';
import { GuestAgent } from '../../machine/qemu/agent.ts';
import { runFiles } from '../../machine/qemu/command.ts';
import { JsonChannel } from '../../machine/qemu/json-channel.ts';
import { labFault, messageOf, usageFault } from '../../system/errors.ts';
import { deadline, until } from '../../system/wait.ts';
import type { CommandContext } from '../context.ts';
import { keptRun } from './kept.ts';

type ShellFlags = { readonly id?: string; readonly instance?: string };

// Ctrl-] as telnet has it: Ctrl-C belongs to the shell
const leave = 0x1d;
const terminal = 'hvc0';
const freshMs = 30_000;

/** Ends what the last caller left on the board's terminal and waits for its new shell. */
const freshShell = async (folder: string, signal: AbortSignal): Promise<void> => {
  using channel = await JsonChannel.open(path.join(folder, runFiles.agent));
  const agent = new GuestAgent(channel);
  const there = async () => (await agent.exec(['pgrep', '-t', terminal], { signal })).stdout.trim();
  const before = await there();
  if (before === '') return;
  await agent.exec(['pkill', '-KILL', '-t', terminal], { signal });
  await until(async () => {
    const now = await there();
    return now !== '' && now !== before ? now : undefined;
  }, signal);
};

const shell = async (flags: ShellFlags, { signal }: CommandContext): Promise<void> => {
  const run = await keptRun(flags.id);
  if (flags.instance !== undefined && !/^[\w.]+$/.test(flags.instance))
    throw usageFault(`'${flags.instance}' is no task id`);
  const enter = await enterKept(run.folder);
  if (enter) {
    const inside = flags.instance === undefined ? [] : ['ip', 'netns', 'exec', flags.instance];
    const [file = '', ...args] = [...enter, ...inside, 'sh'];
    await execa(file, args, { stdio: 'inherit', reject: false, cancelSignal: signal });
    return;
  }
  const { stdin, stdout } = process;
  const silent = (error: unknown) =>
    labFault(`the machine ${run.id} does not answer: ${messageOf(error)}`, ['npm run lab -- clean --kept']);
  await freshShell(run.folder, deadline(freshMs, "the machine's shell", signal)).catch((error: unknown) => {
    throw silent(error);
  });
  const socket = net.connect(path.join(run.folder, runFiles.shell));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error) => reject(silent(error)));
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
    .description('open a shell on a kept machine')
    .option('--id <id>', 'which machine (default: the newest)')
    .option('--instance <task>', "inside an instance's network namespace")
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- shell\n  npm run lab -- shell --instance lab.test.hello.test.instance.0',
    )
    .action((flags: ShellFlags) => shell(flags, context));
};
