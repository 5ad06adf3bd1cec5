import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { BootImage } from '../../image/image.ts';
import { labFault } from '../../system/errors.ts';
import type { Program } from '../../system/packages/tools.ts';
import { tail } from '../../system/process.ts';
import type { RunFolder } from '../../system/runs.ts';
import { until } from '../../system/wait.ts';
import { recordsIn } from '../deterministic/records.ts';
import { runFiles } from './command.ts';
import type { CountedDefinition } from './definitions.ts';

const resultFile = 'result.log';

/**
 * The emulator's arguments for a run that is the same with every repetition. The clock goes by instructions (`-icount`,
 * QEMU: devel/tcg-icount), and jumps while the guest is idle; it begins on a fixed date. There is no device that the
 * time of this computer could come in by: no disk, no network card, no agent. `seed` is what the guest's entropy is made
 * of. Relative paths are in the folder that it is started in.
 */
export const countedArguments = (
  { machine, memory, counted }: CountedDefinition,
  { kernel, initramfs, deviceTree }: Pick<BootImage, 'kernel' | 'initramfs' | 'deviceTree'>,
  { firmware, seed }: { readonly firmware: readonly string[]; readonly seed: number },
): readonly string[] => [
  ...firmware.flatMap((folder) => ['-L', folder]),
  ...['-M', machine, ...counted.processor, '-m', memory],
  ...['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off'],
  ...['-rtc', 'base=2026-01-01T00:00:00,clock=vm', '-seed', `${seed}`],
  ...['-nodefaults', '-display', 'none', '-no-reboot'],
  ...['-kernel', kernel, '-append', counted.append],
  ...(initramfs === undefined ? [] : ['-initrd', initramfs]),
  ...(deviceTree === undefined ? [] : ['-dtb', deviceTree]),
  ...['-chardev', `file,id=console,path=${runFiles.console}`, '-serial', 'chardev:console'],
  ...(counted.result === 'second'
    ? ['-chardev', `file,id=result,path=${resultFile}`, '-serial', 'chardev:result']
    : []),
];

/** The processors that this process may run on, out of `/proc/self/status`, which writes them as `0-3,6`. */
export const allowedProcessors = (status: string): readonly number[] => {
  const [, list = '0'] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status) ?? [];
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, n) => from + n);
  });
};

/**
 * The words before an emulator's own, so that it runs on one processor. Its two threads may not run at the same time: the
 * main loop moves the clock on when it finds the guest halted, and must not do so before the other thread has added the
 * instructions that it has just executed (QEMU: accel/tcg/icount-common.c, icount_start_warp_timer).
 */
const onProcessor = (processor: number): readonly string[] => ['taskset', '--cpu-list', `${processor}`];

/**
 * Runs an emulator in `folder`, on one processor, until `onRecord`, which gets every record that leaves the guest, says
 * that it was the last one, and ends it. Throws a lab fault with the console's last lines when the guest ends before.
 */
export const runCounted = async (
  program: Program,
  definition: CountedDefinition,
  args: readonly string[],
  processor: number,
  { folder, env, lock }: Pick<RunFolder, 'folder' | 'env' | 'lock'>,
  onRecord: (record: string) => boolean,
  signal: AbortSignal,
): Promise<void> => {
  const consoleFile = path.join(folder, runFiles.console);
  const file = definition.counted.result === 'second' ? path.join(folder, resultFile) : consoleFile;
  const [first = '', ...rest] = [...onProcessor(processor), program.file, ...program.args, ...args];
  const child = spawn(first, rest, {
    cwd: folder,
    env: { ...process.env, ...env },
    detached: true,
    // it keeps the run's lock for as long as it goes on
    stdio: ['ignore', 'ignore', 'pipe', lock],
  });
  let printed = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  let why: string | undefined;
  const ended = new Promise<void>((resolve) => {
    const end = (reason: string) => {
      why ??= reason;
      resolve();
    };
    child.once('error', (error) => end(`could not be started: ${error.message}`));
    child.once('close', (code, by) => end(by ? `was ended by ${by}` : `ended with ${code}`));
  });
  let seen = 0;
  const readMore = async (): Promise<boolean> => {
    const bytes = await fs.readFile(file).catch(() => Buffer.alloc(0));
    // a character may be on its way in parts: whole lines have whole characters
    const lines = bytes.subarray(seen, Math.max(seen, bytes.lastIndexOf(0x0a) + 1));
    seen += lines.length;
    return recordsIn(lines.toString('utf8')).map(onRecord).includes(true);
  };
  try {
    await until(async () => {
      const hasEnded = why;
      if (await readMore()) return true;
      if (hasEnded === undefined) return undefined;
      const parts = [printed.trim(), tail(await fs.readFile(consoleFile, 'utf8').catch(() => ''))];
      throw labFault(
        `the emulator ${hasEnded} before the guest gave its result\n${parts.filter((part) => part !== '').join('\n')}`,
      );
    }, signal);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
};
