import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeOptions } from '../../support/node-options.ts';

const entry = fileURLToPath(new URL('../../../worker/net-manager/main.ts', import.meta.url));

export type Reply = { readonly status: number; readonly text: string; readonly json: () => Record<string, unknown> };

const post = (socketPath: string, path: string, body: unknown): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: 'POST' }, async (response) => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, text, json: () => JSON.parse(text) as Record<string, unknown> });
    });
    sent.once('error', reject);
    sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  });

/** A NetManager with its own folders, which stay the same when it is started again; no overlay, which needs real root. */
export const createDaemon = async (
  netcfg: Record<string, unknown>,
  environment: NodeJS.ProcessEnv = {},
  more: readonly string[] = [],
) => {
  const folder = await mkdtemp(join(tmpdir(), 'net-manager-test-'));
  const socket = join(folder, 'nm.sock');
  await writeFile(
    join(folder, 'netcfg.json'),
    JSON.stringify({ NodePublicAddress: '0.0.0.0', NodePublicPort: '50103', Overlay: 'off', ...netcfg }),
  );
  const args = [
    ...nodeOptions('NetManager'),
    entry,
    '--config',
    folder,
    '--socket',
    socket,
    '--state',
    join(folder, 'state'),
    ...more,
  ];
  let child: ChildProcess | undefined;
  let output = '';

  const start = async (): Promise<void> => {
    const started = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Without what the test runner adds to every process of Node's.
      env: { PATH: process.env['PATH'], ...environment },
    });
    child = started;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('answering on')) resolve();
    };
    output = '';
    started.stdout.on('data', read);
    started.stderr.on('data', read);
    started.once('exit', (code, signal) => reject(new Error(`NetManager ended (${code ?? signal}):\n${output}`)));
    await promise;
  };
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    return child.exitCode;
  };

  await start();
  return {
    folder,
    socket,
    start,
    end,
    pid: () => child?.pid ?? 0,
    log: () => output,
    post: (path: string, body: unknown) => post(socket, path, body),
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL');
      await rm(folder, { recursive: true });
    },
  };
};
