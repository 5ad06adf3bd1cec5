import type { IncomingMessage } from 'node:http';
import { send } from './http.ts';

/** A component could not be had. The message says from where. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
}

/** Bytes on their way, with the size and the SHA-256 that the source announced. Whoever reads them checks both. */
export type Incoming = {
  readonly bytes: AsyncIterable<Buffer>;
  readonly size?: number | undefined;
  readonly digest?: string;
};

const redirects = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 5;

/** Gets a URL, following up to five redirects (never from https to http). Throws {@link FetchError}. */
export const get = async (
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IncomingMessage> => {
  let at: URL = url;
  for (let hops = 0; hops <= mostRedirects; hops += 1) {
    const answer = await send({
      protocol: at.protocol,
      hostname: at.hostname.replace(/^\[|\]$/g, ''),
      port: at.port,
      path: `${at.pathname}${at.search}`,
      headers: { 'accept-encoding': 'identity', ...(at.origin === url.origin ? headers : {}) },
      agent: false,
      signal,
    }).catch((error: unknown) => {
      throw new FetchError(`${at.origin} does not answer`, { cause: error });
    });
    const { location } = answer.headers;
    if (!redirects.has(answer.statusCode ?? 0) || location === undefined) return answer;
    answer.destroy();
    if (!URL.canParse(location, at.href)) throw new FetchError(`${at.origin} redirects to '${location.slice(0, 200)}'`);
    const next: URL = new URL(location, at);
    if (next.protocol !== 'https:' && next.protocol !== at.protocol)
      throw new FetchError(`${at.origin} redirects from ${at.protocol} to ${next.protocol}, which is refused`);
    at = next;
  }
  throw new FetchError(`${url.origin} redirects more than ${mostRedirects} times`);
};
