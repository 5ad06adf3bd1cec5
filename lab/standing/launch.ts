import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parseJson } from '../../worker/contract/check.ts';
import type { AcceleratorChoice } from '../machine/kind.ts';
import { labFault } from '../system/errors.ts';
import { tail } from '../system/process.ts';
import { newId, runMark } from '../system/runs.ts';
import { errorOf } from './channel.ts';
import { StartLine } from './protocol.ts';
import { type Join, joinWords, logFile, openRegistry } from './registry.ts';

const logLines = 15;

/** The command by which the lab starts the process of a standing lab; `id` is that of its run. */
export const processCommand = 'standing-lab';

/** What to start, by the words of the command line. */
export type Launch = {
  readonly name: string;
  readonly topology: string;
  readonly machine: string;
  readonly accel: AcceleratorChoice;
  readonly join?: Join | undefined;
};

/**
 * Starts the process of a lab, in a session of its own, and resolves when the lab stands; `tell` hears how far it is.
 * Throws what it failed of. Aborted, it ends the process and waits for its clean-up.
 */
export const launchLab = async (
  { name, topology, machine, accel, join }: Launch,
  tell: (line: StartLine) => void,
  signal: AbortSignal,
): Promise<void> => {
  await openRegistry();
  const id = newId();
  const log = await fs.open(logFile(id), 'w', 0o600);
  const board = ['--machine', machine, '--accel', accel];
  const words = [processCommand, topology, ...board, '--lab', name, '--id', id, ...joinWords(join)];
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...words], {
    cwd: '/',
    env: { ...process.env, [runMark]: id },
    detached: true,
    stdio: ['ignore', 'pipe', log.fd],
    // the typings know no files
  }) as ChildProcessByStdio<null, Readable, null>;
  const exited = once(child, 'exit');
  await log.close();
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const text of createInterface({ input: child.stdout })) {
      const line = parseJson(StartLine, text, "the lab's start");
      if (line.kind === 'failed') {
        await exited;
        signal.throwIfAborted();
        throw errorOf(line.trouble);
      }
      if (line.kind === 'standing') {
        child.stdout.destroy();
        child.unref();
        return;
      }
      tell(line);
    }
    await exited;
    signal.throwIfAborted();
    const said = await fs.readFile(logFile(id), 'utf8').catch(() => '');
    throw labFault(`the process of the lab ended before it stood:\n${tail(said, logLines)}`);
  } catch (error) {
    if (signal.aborted) await exited;
    await fs.rm(logFile(id), { force: true });
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
};
