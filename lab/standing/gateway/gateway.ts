import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseJson } from '../../../worker/contract/check.ts';
import type { Endpoint } from '../../machine/machine.ts';
import { labFault, messageOf } from '../../system/errors.ts';
import { abortable, deadline } from '../../system/wait.ts';
import { Listening } from '../protocol.ts';
import { gatewaySocket, join } from './sockets.ts';

const orderMs = 10_000;

/**
 * A lab in namespaces of its own cannot listen on this computer's network. Its gateway is a process outside of them,
 * which it tells where to listen; a connection there comes in by a Unix socket, which belongs to no network.
 */
export class Gateway implements AsyncDisposable {
  readonly #folder: string;
  readonly #server = net.createServer((socket) => this.#connected(socket));
  /** By the port of the board. */
  readonly #doors = new Map<number, net.Server>();
  /** The ports of this computer by the port of the board, as soon as they are asked for. */
  readonly #ports = new Map<number, Promise<number>>();
  readonly #waiting = new Map<string, (listening: Listening) => void>();
  #program: net.Socket | undefined;

  /** `folder` is that of the lab's run. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<void> {
    this.#server.listen(path.join(this.#folder, gatewaySocket));
    await once(this.#server, 'listening');
  }

  /** Whether the process outside is there. */
  get isThere(): boolean {
    return this.#program !== undefined;
  }

  /** Where this computer reaches `endpoint`, which the lab reaches, for a port of the board. */
  async open(boardPort: number, endpoint: Endpoint, signal: AbortSignal): Promise<Endpoint> {
    const known = this.#ports.get(boardPort) ?? this.#open(boardPort, endpoint, signal);
    this.#ports.set(boardPort, known);
    try {
      return { host: '127.0.0.1', port: await known };
    } catch (error) {
      this.#ports.delete(boardPort);
      throw error;
    }
  }

  async #open(boardPort: number, { host, port }: Endpoint, signal: AbortSignal): Promise<number> {
    const socket = `port-${boardPort}.sock`;
    if (!this.#doors.has(boardPort)) {
      const door = net.createServer({ allowHalfOpen: true }, (from) =>
        join(from, net.connect({ host, port, allowHalfOpen: true })),
      );
      this.#doors.set(boardPort, door);
      door.listen(path.join(this.#folder, socket));
      await once(door, 'listening');
    }
    return await this.#order(socket, boardPort, signal);
  }

  async #order(socket: string, port: number, signal: AbortSignal): Promise<number> {
    if (this.#program === undefined)
      throw labFault("the lab's gateway to this computer has ended", ['npm run lab -- ls, which starts it anew']);
    const { promise, resolve } = Promise.withResolvers<Listening>();
    this.#waiting.set(socket, resolve);
    this.#program.write(`${JSON.stringify({ socket, port })}\n`);
    const listening = await abortable(promise, deadline(orderMs, "the lab's gateway", signal));
    if (listening.port === undefined)
      throw labFault(`no port of this computer could be opened: ${listening.problem ?? ''}`);
    return listening.port;
  }

  /** A gateway that comes after another one ended is told the same ports. */
  #connected(program: net.Socket): void {
    this.#program?.destroy();
    this.#program = program;
    program
      .on('error', () => {})
      .once('close', () => {
        if (this.#program === program) this.#program = undefined;
      });
    createInterface({ input: program }).on('line', (line) => this.#said(line));
    for (const [boardPort, before] of this.#ports)
      void before
        .then((port) => program.write(`${JSON.stringify({ socket: `port-${boardPort}.sock`, port })}\n`))
        .catch(() => {});
  }

  #said(line: string): void {
    try {
      const listening = parseJson(Listening, line, "the gateway's answer");
      this.#waiting.get(listening.socket)?.(listening);
      this.#waiting.delete(listening.socket);
      const [, boardPort] = /^port-(\d+)\.sock$/.exec(listening.socket) ?? [];
      if (listening.port !== undefined) this.#ports.set(Number(boardPort), Promise.resolve(listening.port));
    } catch (error) {
      process.stderr.write(`${messageOf(error)}\n`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#program?.destroy();
    for (const server of [this.#server, ...this.#doors.values()]) server.close();
  }
}
