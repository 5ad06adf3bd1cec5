import http from 'node:http';
import type { Tally } from './tally.ts';

class ResponseTimeout extends Error {
  override readonly name = 'ResponseTimeout';
}

/**
 * One GET whose outcome is counted in `tally`; its latency runs from `since` (monotonic ms) to the end of the body.
 * `agent` false opens a connection for this request alone. Never throws; an aborted request is left uncounted.
 */
export const sendRequest = (
  url: string,
  agent: http.Agent | false,
  timeoutMs: number,
  since: number,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  tally.sent += 1;
  const headers = agent === false ? { connection: 'close' } : {};
  const request = http.get(url, { agent, headers, signal });
  const timer = setTimeout(() => request.destroy(new ResponseTimeout(`no response in ${timeoutMs} ms`)), timeoutMs);
  let settled = false;
  const settle = (count: () => void) => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    count();
    resolve();
  };
  const failed = (error: Error) =>
    settle(() => {
      if (error instanceof ResponseTimeout) tally.timeouts += 1;
      else if (!signal.aborted) tally.errors += 1;
    });
  request.on('error', failed);
  request.on('response', (response) => {
    let body = '';
    response.setEncoding('latin1');
    response.on('data', (chunk: string) => {
      body += chunk;
    });
    response.on('error', failed);
    response.on('end', () =>
      settle(() => {
        tally.response(response.statusCode ?? 0, performance.now() - since);
        tally.body(body);
      }),
    );
  });
  return promise;
};
