import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../lab/system/wait.ts';
import { linkedCache } from './files/cache.ts';
import { removeFolder } from './files/remove.ts';

/** The file that the lab is started with. */
export const labMain = fileURLToPath(new URL('../../lab/main.ts', import.meta.url));

/** How a lab process ended; `code` is 128 + signal when a signal ended it, as a shell has it. */
export type LabEnded = { readonly code: number | string; readonly stdout: string; readonly stderr: string };

/** A lab that runs as a process of its own. */
export type LabProcess = {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly ended: Promise<LabEnded>;
  /** Resolves when stderr has what `pattern` says; rejects with what there is when the process ends before that. */
  readonly says: (pattern: RegExp) => Promise<void>;
  /** The same for stdout. */
  readonly prints: (pattern: RegExp) => Promise<void>;
};

/** A lab with records, temporary files and reports of its own; what it downloaded and built is this computer's. */
export type LabWorld = AsyncDisposable & {
  readonly env: NodeJS.ProcessEnv;
  readonly reports: string;
  readonly temporary: string;
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => LabProcess;
  readonly run: (args: readonly string[], stdin?: string) => Promise<LabEnded>;
  /** Ids of processes that were started in this world and still run. */
  readonly processes: () => Promise<readonly number[]>;
  /** What lies in the folder for temporary files or among the records of runs. */
  readonly leftovers: () => Promise<readonly string[]>;
};

/** Ids of all processes with `entry` in their environment. */
const processesWith = async (entry: string): Promise<readonly number[]> => {
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await fs.readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(entry) ? [pid] : [];
    }),
  );
  return found.flat();
};

/** The longest that killed processes take to be gone, in ms. */
const endMs = 60_000;

/** An emulated Raspberry Pi on a busy computer gets to its load after many minutes. */
const saysMs = 900_000;

const startLab = (args: readonly string[], env: NodeJS.ProcessEnv): LabProcess => {
  const child = spawn(process.execPath, [labMain, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => (stdout += String(text)));
  child.stderr.on('data', (text) => (stderr += String(text)));
  const ended = new Promise<LabEnded>((resolve) => {
    child.once('close', (code, signal) => resolve({ code: code ?? String(signal), stdout, stderr }));
  });
  let over = false;
  void ended.then(() => (over = true));
  const has = (text: () => string) => async (pattern: RegExp) => {
    await until(() => {
      if (pattern.test(text())) return true;
      if (over) throw new Error(`the lab ended without ${pattern}:\n${text()}`);
      return undefined;
    }, AbortSignal.timeout(saysMs));
  };
  return { child, ended, stderr: () => stderr, says: has(() => stderr), prints: has(() => stdout) };
};

/** Opens a {@link LabWorld}; disposing of it ends everything that was started in it. */
export const labWorld = async (): Promise<LabWorld> => {
  // unix sockets live in here, and their paths may be 107 bytes at most
  const root = await fs.mkdtemp('/tmp/lab-test-');
  const [temporary, reports] = [path.join(root, 'tmp'), path.join(root, 'reports')];
  await fs.mkdir(temporary);
  const cache = await linkedCache(path.join(root, 'cache'));
  const env = { ...process.env, XDG_CACHE_HOME: path.join(root, 'cache'), TMPDIR: temporary, NO_COLOR: '' };
  const processes = () => processesWith(`TMPDIR=${temporary}`);
  const list = async (folder: string) =>
    (await fs.readdir(folder).catch(() => [])).map((name) => path.join(folder, name));
  return {
    env,
    reports,
    temporary,
    start: (args, more = {}) => startLab(args, { ...env, ...more }),
    run: (args, stdin = '') => {
      const lab = startLab(args, env);
      lab.child.stdin?.end(stdin);
      return lab.ended;
    },
    processes,
    leftovers: async () => [...(await list(temporary)), ...(await list(path.join(cache, 'runs')))],
    [Symbol.asyncDispose]: async () => {
      const end = (pid: number): void => {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // it has ended meanwhile
        }
      };
      // one that is killed has perhaps just started another one, and writes until it is gone
      await until(async () => {
        const running = await processes();
        for (const pid of running) end(pid);
        return running.length === 0 || undefined;
      }, AbortSignal.timeout(endMs));
      await removeFolder(root);
    },
  };
};
