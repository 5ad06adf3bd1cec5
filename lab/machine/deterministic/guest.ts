import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { executedInstructions } from '../../system/instructions.ts';
import { runProgram } from '../../system/process.ts';
import { type ExecOptions, type Machine, networkCapabilities } from '../machine.ts';
import { userNetwork } from '../user-network.ts';
import { bootMark } from './layout.ts';

/** Enters the network namespace of the guest's first process, which is the board's; everything else is shared. */
const enterBoard = ['nsenter', '--net=/proc/1/ns/net', '--'] as const;

const instructionsIn = (file: string): number => executedInstructions(readFileSync(file, 'utf8'));

/** Instructions that the guest had executed when it had booted. */
export const bootInstructions = (): number => instructionsIn(bootMark);

/**
 * The board that this process runs on itself, in a network namespace beside the board's own. Instructions are counted
 * there, and components in `precompiled` (digests) lie there compiled already.
 */
export const guestMachine = (name: string, wasmtimeVersion: string, precompiled: ReadonlySet<string>): Machine => {
  const env = { HOME: '/root', PATH: process.env['PATH'] ?? '' };
  const lost = new AbortController();
  const program = (argv: readonly string[], options: ExecOptions) =>
    runProgram([...enterBoard, ...argv], {
      env: { ...env, ...options.env },
      stdin: options.stdin,
      signal: options.signal,
    });
  return {
    name,
    architecture: 'aarch64',
    accelerator: 'tcg',
    fidelity: 'counted',
    capabilities: new Set(networkCapabilities),
    uplink: { board: userNetwork.board, lab: userNetwork.lab, bind: userNetwork.lab },
    timeoutFactor: 1,
    inputs: [],
    wasmtimeVersion,
    precompiled,
    logs: [],
    lost: lost.signal,
    instructions: () => instructionsIn('/proc/timer_list'),
    exec: async (argv, options = {}) => {
      const { code, stdout, stderr } = await program(argv, options);
      return { code, stdout: stdout.toString(options.encoding ?? 'utf8'), stderr: stderr.toString('utf8') };
    },
    writeFile: async (file, content, mode = 0o644) => {
      await fs.mkdir(path.dirname(file), { recursive: true });
      await fs.writeFile(file, content);
      await fs.chmod(file, mode);
    },
    readFile: (file) => fs.readFile(file),
    release: () => {},
    forward: async (port) => ({ host: userNetwork.board, port }),
    [Symbol.asyncDispose]: async () => {},
  };
};
