import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { caughtUp } from '../../support/caught-up.ts';
import { removeFolder } from '../../support/files/remove.ts';
import { nodeOptions } from '../../support/node-options.ts';
import { post } from '../../support/post.ts';

const entry = fileURLToPath(new URL('../../../worker/net-manager/main.ts', import.meta.url));

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
    started.once('exit', async (code, signal) => {
      await caughtUp();
      reject(new Error(`NetManager ended (${code ?? signal}):\n${output}`));
    });
    await promise;
  };
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    await caughtUp();
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
    /** Resolves with the answer; what was logged before it is in the log by then. */
    post: async (path: string, body: unknown) => {
      const reply = await post(socket, path, body);
      await caughtUp();
      return reply;
    },
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL');
      await removeFolder(folder);
    },
  };
};
