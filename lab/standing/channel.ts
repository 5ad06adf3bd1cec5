import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parse, parseJson } from '../../worker/contract/check.ts';
import { LabError, labFault, messageOf } from '../system/errors.ts';
import { AnswerLine, type Answers, answers, LabRequest, type Trouble } from './protocol.ts';

/** The control socket in the folder of a lab's run, which nobody but its user can enter. */
const socketIn = (folder: string): string => path.join(folder, 'control.sock');

/** An error in the terms of the protocol. */
export const troubleOf = (error: unknown): Trouble =>
  error instanceof LabError
    ? { fault: error.fault, message: messageOf(error), next: [...error.next] }
    : { fault: 'lab', message: messageOf(error), next: [] };

/** The error that a {@link Trouble} stands for. */
export const errorOf = ({ fault, message, next }: Trouble): LabError => new LabError(message, { fault, next });

/** What answers requests; `signal` is aborted when nobody waits any more. */
export type RequestHandler = (
  request: LabRequest,
  tools: { readonly progress: (text: string) => void; readonly signal: AbortSignal },
) => Promise<Answers[keyof Answers]>;

/** Answers the one request of a connection. */
const serve = async (socket: net.Socket, answering: RequestHandler): Promise<void> => {
  const left = new AbortController();
  socket.on('error', () => {});
  socket.once('close', () => left.abort(new Error('the process that asked has ended')));
  const send = (line: AnswerLine) => {
    if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
  };
  const [line = ''] = (await once(createInterface({ input: socket }), 'line', { signal: left.signal })) as [string?];
  try {
    const request = parseJson(LabRequest, line, 'request');
    const tools = { progress: (text: string) => send({ progress: text }), signal: left.signal };
    send({ answer: await answering(request, tools) });
  } catch (error) {
    send({ trouble: troubleOf(error) });
  }
  socket.end();
};

/** Listens in a folder for requests until it is disposed of; what is being answered then is answered first. */
export const listenForRequests = async (folder: string, answering: RequestHandler): Promise<AsyncDisposable> => {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, answering).catch(() => socket.destroy());
  });
  server.listen(socketIn(folder));
  await once(server, 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroySoon();
      await fs.rm(socketIn(folder), { force: true });
    },
  };
};

/**
 * Asks the lab whose run has this folder and resolves with its answer. Throws what the lab threw, and a lab fault when
 * it does not answer; aborted, it goes away and the lab is told so.
 */
export const ask = async <K extends LabRequest['do']>(
  folder: string,
  request: Extract<LabRequest, { readonly do: K }>,
  signal: AbortSignal,
  onProgress: (text: string) => void = () => {},
): Promise<Answers[K]> => {
  signal.throwIfAborted();
  const socket = net.connect(socketIn(folder));
  const leave = () => socket.destroy();
  signal.addEventListener('abort', leave, { once: true });
  let failure: unknown;
  socket.on('error', (error) => {
    failure = error;
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    const reader = createInterface({ input: socket });
    // it sees an end, but not that the connection was destroyed
    socket.once('close', () => reader.close());
    const lines = reader[Symbol.asyncIterator]();
    for (;;) {
      const next = await lines.next().catch(() => undefined);
      if (next === undefined || next.done) break;
      const line = parseJson(AnswerLine, next.value, "the lab's answer");
      if ('progress' in line) onProgress(line.progress);
      else if ('trouble' in line) throw errorOf(line.trouble);
      else {
        const answer = parse<(typeof answers)[K]>(answers[request.do as K], line.answer, "the lab's answer");
        return answer as Answers[K];
      }
    }
    await closed;
    signal.throwIfAborted();
    throw labFault('the lab ended before it answered', ['npm run lab -- ls'], failure);
  } finally {
    signal.removeEventListener('abort', leave);
    socket.destroy();
  }
};
