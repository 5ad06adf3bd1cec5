import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { labFault } from '../../../system/errors.ts';
import { collect } from '../../../system/process.ts';
import { abortable, deadline } from '../../../system/wait.ts';
import type { BoardShell } from './board-shell.ts';
import type { Connection } from './connection.ts';

const startMs = 60_000;
const againMs = 200;
/** ssh's own exit code; every other one is the program's (ssh(1)). */
const connectionLost = 255;

/**
 * Runs on the board: listens on the ports that it is told, one a line, at an address that instances can reach, and
 * hands every connection on to the same port of the loopback device. An ssh server listens there only. The relay of an
 * earlier connection may hold the ports for a moment.
 */
const program = `
const net = require('node:net');
const listen = (port, attempts) => net.createServer({ allowHalfOpen: true }, (from) => {
  const to = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  from.on('error', () => to.destroy()).pipe(to).on('error', () => from.destroy()).pipe(from);
}).on('error', (error) => {
  if (attempts > 1) setTimeout(listen, 200, port, attempts - 1);
  else console.log(port + ' ' + error.message);
}).listen(port, process.argv[1], () => console.log(port));
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => listen(Number(line), 50))
  .on('close', () => process.exit());
`;

/** Makes ports of this computer reachable from the board at one address, through the ssh connection. */
export class Relay implements Disposable {
  readonly #connection: Connection;
  readonly #shell: BoardShell;
  readonly #address: string;
  readonly #lost: (reason: Error) => void;
  readonly #ports = new Set<number>();
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined;
  #closed = false;

  /**
   * `shell` has to find Node, in the network in which `address` is the board's own. `lost` is told when ports that the
   * board reached cannot be reached any more.
   */
  constructor(connection: Connection, shell: BoardShell, address: string, lost: (reason: Error) => void) {
    this.#connection = connection;
    this.#shell = shell;
    this.#address = address;
    this.#lost = lost;
  }

  /** Resolves when the board reaches `port` of this computer's loopback device at the relay's address. */
  async publish(port: number, signal?: AbortSignal): Promise<void> {
    if (this.#ports.has(port)) return;
    await this.#connection.forward('-R', `127.0.0.1:${port}:127.0.0.1:${port}`, signal);
    this.#ports.add(port);
    const listening = Promise.withResolvers<void>();
    this.#waiting.set(port, listening);
    if (this.#child) this.#child.stdin.write(`${port}\n`);
    else this.#start();
    const ends = deadline(startMs, 'the relay on the board', signal, this.#connection.lost);
    await abortable(listening.promise, ends).finally(() => this.#waiting.delete(port));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#child?.stdin.destroy();
    this.#child?.kill();
  }

  #start(): void {
    const framed = this.#shell.frame(['node', '-e', program, this.#address]);
    const { file, args, env } = this.#connection.session(framed.line);
    const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    const said = collect(child.stderr);
    child.stdin.on('error', () => {
      // it has ended: its end says so
    });
    let began = false;
    createInterface({ input: child.stdout }).on('line', (line) => {
      // a greeting of the login shell comes before, and blank lines belong to the frame
      if (!began || line === '' || line.startsWith(framed.end)) began ||= line === framed.begin;
      else this.#listens(line);
    });
    child.once('close', (code) => {
      this.#child = undefined;
      if (this.#closed) return;
      const words = said().toString().split(framed.begin).at(-1)?.trim();
      if (code !== connectionLost) this.#fail(`the relay on the board ended with ${code}: ${words}`);
      // a connection that stands may have had no session to spare
      else
        pause(againMs)
          .then(() => this.#connection.ready())
          .then(
            () => this.#closed || this.#start(),
            () => {
              // the board is gone: the connection says so
            },
          );
    });
    for (const port of this.#ports) child.stdin.write(`${port}\n`);
  }

  /** Takes a line of the program on the board: a port on which it listens, and why it does not. */
  #listens(line: string): void {
    const [port, ...problem] = line.split(' ');
    if (problem.length === 0) this.#waiting.get(Number(port))?.resolve();
    else this.#fail(`the board cannot listen on port ${port}: ${problem.join(' ')}`);
  }

  #fail(message: string): void {
    const reason = labFault(message);
    for (const waiting of this.#waiting.values()) waiting.reject(reason);
    this.#lost(reason);
  }
}
