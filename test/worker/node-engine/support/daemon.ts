import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { caughtUp } from '../../../support/caught-up.ts';
import { removeFolder } from '../../../support/files/remove.ts';
import { nodeOptions } from '../../../support/node-options.ts';
import { endProcesses } from './jobs.ts';

const entry = fileURLToPath(new URL('../../../../worker/node-engine/main.ts', import.meta.url));

export const fixture = (name: string): URL => new URL(`../../../../fixtures/${name}/${name}.wasm`, import.meta.url);

export const wasmtime = process.env['LAB_TEST_WASMTIME'] ?? 'wasmtime';

const runs = (): boolean => {
  try {
    execFileSync(wasmtime, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Why wasmtime cannot be used, or false. */
export const noWasmtime = runs() ? false : 'wasmtime is neither in LAB_TEST_WASMTIME nor on PATH';

/** A NodeEngine with its own folders, which stay the same when it is started again. */
export const createDaemon = async (clusterPort: number, conf: Record<string, unknown> = {}, options: string[] = []) => {
  const folder = await mkdtemp(join(tmpdir(), 'node-engine-test-'));
  await chmod(folder, 0o755);
  const at = (name: string) => join(folder, name);
  const logs = at('logs');
  const config = {
    cluster_address: '127.0.0.1',
    cluster_port: clusterPort,
    app_logs: logs,
    allowed_local_hosts: ['127.0.0.1'],
    component_folders: [folder],
    ...conf,
  };
  await writeFile(at('conf.json'), JSON.stringify(config));
  const folders = ['--cache', at('cache'), '--precompiled', at('precompiled'), '--state', at('state')];
  const files = ['--config', at('conf.json'), '--net-manager', at('nm.sock'), '--wasmtime', wasmtime];
  const children: ChildProcess[] = [];
  let output = '';
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const ending = children.findLast(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    if (ending === undefined) return children.at(-1)?.exitCode ?? null;
    ending.kill(signal);
    const [code] = (await once(ending, 'exit')) as [number | null];
    await caughtUp();
    return code;
  };
  return {
    folder,
    at,
    logs,
    socket: at('nm.sock'),
    log: () => output,
    start: () => {
      const started = spawn(process.execPath, [...nodeOptions('NodeEngine'), entry, ...folders, ...files, ...options]);
      for (const stream of [started.stdout, started.stderr]) stream.on('data', (text) => (output += String(text)));
      children.push(started);
      return started;
    },
    /** Ends the engine that was started last and still runs. */
    end,
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL');
      await endProcesses(folder);
      if (!t.passing()) t.comment(output);
      await removeFolder(folder);
    },
  };
};

/** Status and body of an HTTP answer. */
export const fetchText = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, { agent: false }, async (response) => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      resolve(`${response.statusCode} ${text}`);
    }).once('error', reject);
  });
