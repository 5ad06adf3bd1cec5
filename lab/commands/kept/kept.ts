import { existsSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { enterKept } from '../../machine/local/kept.ts';
import { GuestAgent } from '../../machine/qemu/agent.ts';
import { runFiles } from '../../machine/qemu/command.ts';
import { JsonChannel } from '../../machine/qemu/json-channel.ts';
import { usageFault } from '../../system/errors.ts';
import type { ExecResult } from '../../system/process.ts';
import { keptRuns, type RunRecord } from '../../system/runs.ts';

/** The kept machine with an id, or the newest one. Throws a usage fault when there is none. */
export const keptRun = async (id: string | undefined): Promise<RunRecord> => {
  const kept = await keptRuns();
  const found = id === undefined ? kept.at(-1) : kept.find((run) => run.id === id);
  // two containers may share a cache and nothing else
  if (found && !existsSync(found.folder))
    throw usageFault(`the kept machine ${found.id} (${found.what}) is in another container, on the host ${found.host}`);
  if (found) return found;
  throw usageFault(
    id === undefined
      ? 'no machine was kept'
      : `no kept machine ${id} (there are ${kept.map((run) => run.id).join(', ') || 'none'})`,
    ['npm run lab -- scenario bridged --keep'],
  );
};

const boardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs a program on a kept machine, whatever that is made of. */
export const execKept = async (
  { folder }: RunRecord,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> => {
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
