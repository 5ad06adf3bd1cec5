import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import { tlsFloor, trustSystemCertificates } from '../../system/trust.ts';

/** A request; `body` is sent as it is. */
type Request = RequestOptions & { readonly body?: string; readonly signal: AbortSignal };

/** A connection on which nothing comes or goes for this long is given up. */
const idleMs = 60_000;

/** Sends a request and resolves with the answer as soon as its head is there. Rejects when `signal` aborts. */
export const send = async ({ body, ...options }: Request): Promise<IncomingMessage> => {
  // Most workers never speak TLS, and import() would start the loader of modules for a built-in one.
  const secure = options.protocol === 'https:';
  if (secure) await trustSystemCertificates();
  const { request } = secure ? process.getBuiltinModule('node:https') : http;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = request({ timeout: idleMs, ...tlsFloor, ...options }, resolve);
  sent.on('timeout', () => sent.destroy(new Error(`nothing came for ${idleMs / 1000} s`)));
  sent.on('error', (error) => reject(options.signal.aborted ? options.signal.reason : error));
  sent.end(body);
  return promise;
};

/** The first `limit` bytes of an answer; the rest is not read. */
export const readBytes = async (answer: IncomingMessage, limit: number): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
};

/** The first `limit` bytes of an answer as text; the rest is not read. */
export const readText = async (answer: IncomingMessage, limit: number): Promise<string> =>
  (await readBytes(answer, limit)).toString('utf8');

/** Posts `data` as JSON; resolves with the status, where it redirects to, and the first 64 KiB of the answer. */
export const postJson = async (
  request: Omit<Request, 'body' | 'method'>,
  data: unknown,
): Promise<{ readonly status: number; readonly location: string | undefined; readonly text: string }> => {
  const body = JSON.stringify(data);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const answer = await send({ ...request, method: 'POST', headers, body });
  const { statusCode: status = 0, headers: answered } = answer;
  return { status, location: answered.location, text: await readText(answer, 65_536) };
};
