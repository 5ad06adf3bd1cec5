import net from 'node:net';
import { createInterface } from 'node:readline';
import Type, { type Static } from 'typebox';
import { InvalidData, parseJson } from '../../../worker/contract/check.ts';
import { abortable } from '../../system/wait.ts';

const Message = Type.Object({
  id: Type.Optional(Type.Integer()),
  return: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Object({ class: Type.String(), desc: Type.String() })),
  event: Type.Optional(Type.String()),
});

/** The message in a line. A serial line also carries scraps of requests that it echoed: they are none. */
const messageIn = (line: string): Static<typeof Message> | undefined => {
  try {
    return parseJson(Message, line.replace(/^[^{]*/, ''), 'message of the emulator');
  } catch (error) {
    if (error instanceof InvalidData) return undefined;
    throw error;
  }
};

/**
 * How long an answer may take before the request is pushed on. The emulated serial line over USB now and then keeps a
 * request's last packet until another one comes; a line's end between two documents means nothing (RFC 8259, 2).
 */
const pushAfterMs = 1_000;

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

/** The emulator or the agent answered a request with an error. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}

/** There is nobody at the other end any more. */
export class ChannelClosed extends Error {
  override readonly name = 'ChannelClosed';
}

/**
 * Requests and answers as JSON lines over a unix socket, matched by id: QEMU's monitor and its guest agent speak this
 * alike (docs/interop/qmp-spec, docs/interop/qemu-ga).
 */
export class JsonChannel implements Disposable {
  readonly #socket: net.Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #onEvent: (name: string) => void;
  #last = 0;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(socket: net.Socket, onEvent: (name: string) => void) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    // an interface passes its input's errors on; the socket's own are enough
    createInterface({ input: socket })
      .on('line', (line) => this.#receive(line))
      .on('error', () => {});
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      for (const { reject } of this.#pending.values())
        reject(new ChannelClosed('the channel to the emulator was closed'));
      this.#pending.clear();
    });
  }

  /** Connects to a socket that listens already. */
  static async open(path: string, onEvent: (name: string) => void = () => {}): Promise<JsonChannel> {
    const socket = net.connect(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new JsonChannel(socket, onEvent);
  }

  /**
   * One request's answer, after those of all requests before it: the guest agent falls silent for good when it is sent
   * several at once. Rejects with {@link AgentError} when the other side says no.
   */
  request(execute: string, parameters: object = {}, signal?: AbortSignal): Promise<unknown> {
    const answer = this.#turn.then(async () => {
      signal?.throwIfAborted();
      if (this.#socket.destroyed) throw new ChannelClosed('the channel to the emulator is closed');
      const push = setInterval(() => this.#socket.write('\n'), pushAfterMs);
      try {
        return await abortable(this.#send(execute, parameters), signal);
      } finally {
        clearInterval(push);
      }
    });
    this.#turn = answer.catch(() => {});
    return answer;
  }

  #send(execute: string, parameters: object): Promise<unknown> {
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    this.#socket.write(`${JSON.stringify({ execute, arguments: parameters, id })}\n`);
    return promise;
  }

  #receive(line: string): void {
    const message = messageIn(line);
    if (!message) return;
    if (message.event !== undefined) this.#onEvent(message.event);
    // what cannot be read as JSON at all is refused without an id: it was the oldest of those without an answer
    const [oldest] = this.#pending.keys();
    const id = message.id ?? (message.error ? oldest : undefined);
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || !pending) return;
    // a serial line echoes requests until the agent has set it up
    if (!message.error && !('return' in message)) return;
    this.#pending.delete(id);
    if (message.error) pending.reject(new AgentError(message.error.desc));
    else pending.resolve(message.return);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
