import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { deadline, until } from '../../../lab/system/wait.ts';
import type { Board } from './board.ts';

/** A process on the board, seen from outside. */
export type Daemon = {
  /** Its id in the lab's process namespace. */
  readonly pid: number;
  readonly log: () => string;
  /** True until it has ended. */
  readonly runs: () => boolean;
  /** Sends a signal and waits for the end; resolves with the exit code or the signal's name. Throws after 20 s. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | string>;
  /** Lets it do nothing until {@link resume}. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly descriptors: () => Promise<number>;
};

const endMs = 20_000;

const childOf = async (pid: number): Promise<number | undefined> => {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return Number(text.trim().split(' ')[0]) || undefined;
};

/** Starts a command on a board; `programs` is a folder whose programs it finds first. */
export const startDaemon = async (board: Board, command: readonly string[], programs: string): Promise<Daemon> => {
  const [file = '', ...args] = [...board.here, ...command];
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: `${programs}${delimiter}${process.env['PATH'] ?? ''}` },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  const runs = () => child.exitCode === null && child.signalCode === null;
  const pid = await until(
    async () => {
      if (!runs()) throw new Error(`${command.join(' ')} ended at once: ${output}`);
      return childOf(child.pid ?? 0);
    },
    deadline(endMs, `${command[0]} to start`),
  );
  return {
    pid,
    log: () => output,
    runs,
    end: async (signal) => {
      if (runs()) process.kill(pid, signal);
      const late = deadline(endMs, `the end of ${command[0]} after ${signal}`);
      await until(() => (runs() ? undefined : true), late);
      const [code, by] = await ended;
      return code ?? by ?? '';
    },
    pause: () => void process.kill(pid, 'SIGSTOP'),
    // nsenter(1) stops with its child
    resume: () => [child.pid ?? pid, pid].forEach((one) => void process.kill(one, 'SIGCONT')),
    descriptors: async () => (await readdir(`/proc/${pid}/fd`)).length,
  };
};
