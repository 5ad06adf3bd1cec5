import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { namespaceOfProcess } from './kernel/kernel.ts';

/**
 * The place of the one net manager of a board: a port below 1024 of an address of the loopback network, which only root
 * may take, once in a network namespace, and which the kernel frees with the process. Nothing is left to be removed.
 */
const place = { host: '127.79.65.75', port: 1 } as const;

/** A board, or a state folder, that another net manager works with. */
export class InUse extends Error {
  override readonly name = 'InUse';
}

/** What the net manager that has this board says of itself, or undefined when nobody answers. */
export const boardHolder = async (): Promise<string | undefined> => {
  const socket = connect({ ...place, timeout: 1_000 });
  socket.on('timeout', () => socket.destroy());
  try {
    const answer = await text(socket);
    return answer.trim() || undefined;
  } catch {
    return undefined;
  }
};

/**
 * Takes the board for this process until it ends, however it ends. Throws {@link InUse} with the holder's process id
 * and state folder when another net manager has it.
 */
export const lockBoard = async (state: string): Promise<Disposable> => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(`PID ${process.pid}, state ${state}\n`);
  });
  try {
    server.listen(place);
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE')
      throw new Error(`this board can't be kept from a second NetManager: ${message}; it needs root and lo up`, {
        cause: error,
      });
    const who = (await boardHolder()) ?? `whoever holds ${place.host}:${place.port}`;
    throw new InUse(`another NetManager runs on this board (${who}); stop that one first, or do not start this one`, {
      cause: error,
    });
  }
  server.unref();
  return { [Symbol.dispose]: () => void server.close() };
};

/** The process of another implementation's net manager on this board, by its name; undefined when there is none. */
export const otherNetManager = async (): Promise<number | undefined> => {
  const own = await namespaceOfProcess();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const comm = await readFile(`/proc/${name}/comm`, 'utf8').catch(() => '');
    if (comm.trim() === 'NetManager' && (await namespaceOfProcess(Number(name))) === own) return Number(name);
  }
  return undefined;
};
