import { execa } from 'execa';
import type { Input } from '../../report/model/results.ts';
import { proxyVariables } from '../../system/internet/internet.ts';

/** The folders that a build works in. */
export type Folders = { readonly read: readonly string[]; readonly written: readonly string[] };

/** Where make runs; dispose of it when the build has ended. */
export type BuildHost = AsyncDisposable & {
  /** What the build host itself is made from, where that is known. */
  readonly inputs: readonly Input[];
  /** Runs a command quietly; resolves with its stdout, rejects with what it said when it fails. */
  readonly run: (command: readonly string[]) => Promise<string>;
  /** Every line that a command writes, as it comes; throws after the last one when it failed. */
  readonly lines: (command: readonly string[]) => AsyncIterable<string>;
  /** Runs a command that the user works with on the terminal. */
  readonly interact: (command: readonly string[]) => Promise<void>;
};

/** This computer as the build host. */
export const localBuildHost = (signal: AbortSignal): BuildHost => {
  const env = proxyVariables();
  const start = ([file = '', ...args]: readonly string[]) => {
    signal.throwIfAborted();
    const child = execa(file, args, { env, detached: true, stdin: 'ignore', all: true, maxBuffer: 64 * 1024 * 1024 });
    // make alone would end without its compilers, which go on and hold its output open
    const stop = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
      } catch {
        // they have ended meanwhile
      }
    };
    signal.addEventListener('abort', stop, { once: true });
    const ended = () => signal.removeEventListener('abort', stop);
    void child.then(ended, ended);
    return child;
  };
  return {
    inputs: [],
    run: async (command) => (await start(command)).stdout,
    lines: (command) => start(command).iterable({ from: 'all' }),
    interact: async ([file = '', ...args]) =>
      void (await execa(file, args, { env, cancelSignal: signal, stdio: 'inherit' })),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
};
