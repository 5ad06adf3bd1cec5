import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { labFault, messageOf } from '../../system/errors.ts';
import { deadline, until } from '../../system/wait.ts';
import type { KeptMachine } from '../kept.ts';
import { GuestAgent } from './agent.ts';
import { runFiles } from './command.ts';
import { JsonChannel } from './json-channel.ts';

// Ctrl-] as telnet has it: Ctrl-C belongs to the shell
const leave = 0x1d;
const terminal = 'hvc0';
const freshMs = 30_000;

/** Ends what the last caller left on the guest's terminal and waits for its new shell. */
const freshShell = async (exec: KeptMachine['exec'], signal: AbortSignal): Promise<void> => {
  const there = async () => (await exec(['pgrep', '-t', terminal], signal)).stdout.trim();
  const before = await there();
  if (before === '') return;
  await exec(['pkill', '-KILL', '-t', terminal], signal);
  await until(async () => {
    const now = await there();
    return now !== '' && now !== before ? now : undefined;
  }, signal);
};

/** Passes this process's terminal and the socket of a guest's terminal to each other until the person leaves. */
const joinTerminals = async (socket: net.Socket, first: string, signal: AbortSignal): Promise<void> => {
  const { stdin, stdout } = process;
  process.stderr.write('Ctrl-] leaves\n');
  stdin.setRawMode?.(true);
  socket.write(first);
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

/** Runs programs by the guest agent at a socket, which serves one process at a time. */
const agentAt =
  (socket: string): KeptMachine['exec'] =>
  async (argv, signal) => {
    using channel = await JsonChannel.open(socket);
    return await new GuestAgent(channel).exec(argv, { signal });
  };

/** The kept emulator whose run has this folder; undefined for other machines. */
export const keptEmulator = async (folder: string, exec?: KeptMachine['exec']): Promise<KeptMachine | undefined> => {
  const [agentSocket, shellSocket] = [path.join(folder, runFiles.agent), path.join(folder, runFiles.shell)];
  if (!existsSync(agentSocket)) return undefined;
  const run = exec ?? agentAt(agentSocket);
  return {
    exec: run,
    shell: async (instance, signal) => {
      const silent = (error: unknown) =>
        labFault(`the machine does not answer: ${messageOf(error)}`, ['npm run lab -- clean --kept'], error);
      await freshShell(run, deadline(freshMs, "the machine's shell", signal)).catch((error: unknown) => {
        throw silent(error);
      });
      const socket = net.connect(shellSocket);
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', (error) => reject(silent(error)));
      });
      await joinTerminals(socket, instance === undefined ? '\n' : `exec ip netns exec ${instance} sh\n`, signal);
    },
  };
};
