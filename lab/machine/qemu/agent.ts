import { setTimeout as pause } from 'node:timers/promises';
import Type from 'typebox';
import { parse } from '../../../worker/contract/check.ts';
import type { ExecResult } from '../../system/process.ts';
import type { ExecOptions } from '../machine.ts';
import { AgentError, type JsonChannel } from './json-channel.ts';

const Started = Type.Object({ pid: Type.Integer() });
const Status = Type.Object({
  exited: Type.Boolean(),
  exitcode: Type.Optional(Type.Integer()),
  signal: Type.Optional(Type.Integer()),
  'out-data': Type.Optional(Type.String()),
  'err-data': Type.Optional(Type.String()),
  'out-truncated': Type.Optional(Type.Boolean()),
});
const FileRead = Type.Object({ count: Type.Integer(), 'buf-b64': Type.String(), eof: Type.Boolean() });

const chunkBytes = 48 * 1024;
const text = (data: string | undefined, encoding: BufferEncoding = 'utf8'): string =>
  Buffer.from(data ?? '', 'base64').toString(encoding);

/**
 * Commands and files on the board through QEMU's guest agent: framed, argument arrays only, and independent of the
 * board's network.
 */
export class GuestAgent {
  readonly #channel: JsonChannel;

  constructor(channel: JsonChannel) {
    this.#channel = channel;
  }

  /** Resolves when the agent answers; asks again because what is sent before it listens may be lost. */
  async ready(signal: AbortSignal): Promise<void> {
    for (;;) {
      const attempt = AbortSignal.any([signal, AbortSignal.timeout(500)]);
      const answered = await this.#channel.request('guest-ping', {}, attempt).then(
        () => true,
        (error: unknown) => {
          signal.throwIfAborted();
          if (attempt.aborted) return false;
          throw error;
        },
      );
      if (answered) return;
    }
  }

  /** Runs a program to its end in a session of its own; an abort kills all of that session. */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { signal } = options;
    const { pid } = parse(
      Started,
      await this.#channel.request(
        'guest-exec',
        {
          path: '/usr/bin/setsid',
          arg: [...argv],
          env: Object.entries({
            PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin',
            HOME: '/root',
            ...options.env,
          }).map(([key, value]) => `${key}=${value}`),
          // agents before QEMU 8.0 know only yes and no here
          'capture-output': true,
          ...(options.stdin === undefined ? {} : { 'input-data': Buffer.from(options.stdin).toString('base64') }),
        },
        signal,
      ),
      "answer to 'guest-exec'",
    );
    try {
      for (let gap = 4; ; gap = Math.min(gap * 1.4, 60)) {
        const answer = await this.#channel.request('guest-exec-status', { pid }, signal);
        const status = parse(Status, answer, "answer to 'guest-exec-status'");
        if (status['out-truncated']) throw new Error(`'${argv.join(' ')}' printed more than the agent can carry`);
        if (status.exited)
          return {
            code: status.exitcode ?? 128 + (status.signal ?? 0),
            stdout: text(status['out-data'], options.encoding),
            stderr: text(status['err-data']),
          };
        await pause(gap, undefined, signal ? { signal } : {});
      }
    } catch (error) {
      if (signal?.aborted) await this.#killSession(pid);
      throw error;
    }
  }

  async #killSession(pid: number): Promise<void> {
    const request = { path: '/usr/bin/kill', arg: ['-KILL', '--', `-${pid}`] };
    await this.#channel.request('guest-exec', request, AbortSignal.timeout(5_000)).catch(() => {});
  }

  async writeFile(path: string, content: string | Uint8Array): Promise<void> {
    const bytes = Buffer.from(content);
    const handle = await this.#channel.request('guest-file-open', { path, mode: 'wb' });
    try {
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        const chunk = bytes.subarray(at, at + chunkBytes).toString('base64');
        await this.#channel.request('guest-file-write', { handle, 'buf-b64': chunk });
      }
    } finally {
      await this.#channel.request('guest-file-close', { handle });
    }
  }

  async readFile(path: string): Promise<Buffer> {
    const handle = await this.#channel.request('guest-file-open', { path, mode: 'rb' }).catch((error: unknown) => {
      if (error instanceof AgentError) throw new Error(`cannot read ${path} on the board`, { cause: error });
      throw error;
    });
    const chunks: Buffer[] = [];
    try {
      for (let ended = false; !ended; ) {
        const answer = await this.#channel.request('guest-file-read', { handle, count: chunkBytes });
        const { 'buf-b64': data, eof } = parse(FileRead, answer, "answer to 'guest-file-read'");
        chunks.push(Buffer.from(data, 'base64'));
        ended = eof;
      }
    } finally {
      await this.#channel.request('guest-file-close', { handle });
    }
    return Buffer.concat(chunks);
  }
}
