import type { ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Log } from '../../system/log.ts';
import { spawn } from '../../system/spawn.ts';

const restart = { firstMs: 1_000, maxMs: 30_000 } as const;

/** The command ends with its parent, however that ends: a shell waits for the end of its input, which nobody writes to. */
const untilWeEnd = '"$@" & exec >&-; read -r _; kill $!';

/**
 * Runs a command that tells what happens in the kernel, line by line, and starts it again when it ends; `missed` is
 * called then, because nobody knows what went by meanwhile.
 */
export const monitor = (
  argv: readonly string[],
  { line, missed }: { readonly line: (text: string) => void; readonly missed: () => void },
  log: Log,
): Disposable => {
  let stopped = false;
  let pauseMs: number = restart.firstMs;
  let timer: NodeJS.Timeout | undefined;
  let stop = () => {};

  const startLater = () => {
    timer = setTimeout(() => {
      start();
      missed();
    }, pauseMs).unref();
    pauseMs = Math.min(pauseMs * 2, restart.maxMs);
  };

  const start = () => {
    let child: ChildProcessByStdio<Writable, Readable, null>;
    try {
      child = spawn('sh', ['-c', untilWeEnd, 'sh', ...argv], { stdio: ['pipe', 'pipe', 'ignore'] });
    } catch (error) {
      log.warn(`${argv.join(' ')}: ${(error as Error).message}`);
      return startLater();
    }
    const began = performance.now();
    child.on('error', (error) => log.warn(`${argv.join(' ')}: ${error.message}`));
    child.stdin.on('error', () => undefined);
    stop = () => void child.stdin.end();
    createInterface(child.stdout).on('line', line);
    // The command's output ends with it, and the shell's input is to end then too.
    child.stdout.on('close', () => {
      child.stdin.end();
      if (stopped) return;
      pauseMs = performance.now() - began > restart.maxMs ? restart.firstMs : pauseMs;
      log.debug(`${argv.join(' ')} ended; starting it again`);
      startLater();
    });
    child.unref();
  };

  start();
  return {
    [Symbol.dispose]: () => {
      stopped = true;
      clearTimeout(timer);
      stop();
    },
  };
};
