import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { CheckResult } from '../../system/check-result.ts';
import { labFault, messageOf } from '../../system/errors.ts';
import { freePort } from '../../system/ports.ts';
import { abortable, deadline } from '../../system/wait.ts';
import type { BoardShell } from './ssh/board-shell.ts';
import type { Connection } from './ssh/connection.ts';
import { forwardingRemedy, sessionsRemedy } from './ssh/ssh.ts';

const trialMs = 30_000;
/** The relay, and the commands that a run gives at the same time. */
const usualSessions = 7;
/** The relay lasts as long as a run, and something has to be done beside it. */
const minSessions = 2;

const askOnce = async (port: number, signal: AbortSignal): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal });
  return await response.text();
};

/** Sends a request there and back through forwarded ports. Throws when that is not possible, either way. */
const tryForwarding = async (connection: Connection, signal: AbortSignal): Promise<void> => {
  const token = randomUUID();
  const server = http.createServer((_request, response) => response.end(token)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using stack = new AsyncDisposableStack();
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  // as a run makes the lab's servers reachable from the board, and the board's ports from the lab
  const forward = async (kind: '-L' | '-R', what: string) => {
    await connection.forward(kind, what, signal);
    stack.defer(() => connection.cancel(kind, what));
  };
  await forward('-R', `127.0.0.1:${own}:127.0.0.1:${own}`);
  const there = await freePort('127.0.0.1', async (port) => {
    await forward('-L', `127.0.0.1:${port}:127.0.0.1:${own}`);
    return port;
  });
  const came = await askOnce(there, signal).catch((error: unknown) => {
    throw labFault("a forwarded port (ssh -L) does not reach the board's own", [], error);
  });
  if (came !== token) throw labFault('what came back through a forwarded port was something else');
};

const forwarding = async (connection: Connection, signal: AbortSignal): Promise<CheckResult> => {
  const name = 'ports through ssh';
  return tryForwarding(connection, signal).then(
    () => ({ name, ok: true, detail: 'forwarded both ways' }),
    (error: unknown) => {
      signal.throwIfAborted();
      return { name, ok: false, fatal: true, detail: messageOf(error), remedy: forwardingRemedy };
    },
  );
};

/** How many sessions the board takes at the same time, as far as a run may want them. */
const countSessions = async (connection: Connection, shell: BoardShell, signal: AbortSignal): Promise<number> => {
  const children = Array.from({ length: usualSessions }, () => {
    const framed = shell.frame(['cat']);
    const { file, args, env } = connection.session(framed.line);
    const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    let said = '';
    const { promise, resolve } = Promise.withResolvers<boolean>();
    child.stdin.on('error', () => {});
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
      if (said.includes(`\n${framed.begin}\n`)) resolve(true);
    });
    child.once('error', () => resolve(false));
    child.once('close', () => resolve(false));
    return { child, promise, closed: once(child, 'close') };
  });
  try {
    const opened = await abortable(Promise.all(children.map(({ promise }) => promise)), signal);
    return opened.filter(Boolean).length;
  } finally {
    for (const { child } of children) child.stdin.end();
    await abortable(Promise.all(children.map(({ closed }) => closed)), signal).catch(() => {
      for (const { child } of children) child.kill('SIGKILL');
    });
  }
};

const sessions = async (connection: Connection, shell: BoardShell, signal: AbortSignal): Promise<CheckResult> => {
  const count = await countSessions(connection, shell, signal);
  const name = 'sessions of ssh';
  if (count >= usualSessions) return { name, ok: true, detail: `${count} at a time` };
  const detail = `${count} at a time on a connection`;
  return count < minSessions
    ? { name, ok: false, fatal: true, detail: `${detail}, a run needs ${minSessions}`, remedy: sessionsRemedy }
    : { name, ok: true, detail: `${detail}: commands of a run wait for each other`, remedy: sessionsRemedy };
};

/** Tries on a connection what a run does with it. Nothing is left on the board. */
export const tryConnection = async (
  connection: Connection,
  shell: BoardShell,
  ends: AbortSignal,
): Promise<readonly CheckResult[]> => {
  const signal = deadline(trialMs, 'the trial of the ssh connection', ends);
  const counted = await sessions(connection, shell, signal);
  return [counted, await forwarding(connection, signal)];
};
