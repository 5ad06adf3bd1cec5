import type { IncomingMessage } from 'node:http';
import { FetchError } from './fetch-error.ts';
import { send } from './http.ts';
import { bareHost, lookupFor } from './local-address.ts';

/**
 * Bytes on their way, with the size that the source announced. Whoever reads them checks it, and destroys them when they
 * are not read to their end.
 */
export type Incoming = {
  readonly bytes: AsyncIterable<Buffer> & { readonly destroy: () => unknown };
  readonly size?: number | undefined;
};

/** Where a component is; with its SHA-256 when the source has announced one, which whoever reads the bytes checks. */
export type Located = {
  readonly digest?: string;
  readonly open: (signal: AbortSignal) => Promise<Incoming>;
};

/** What a request carries. `headers` go to the first host alone. */
type GetOptions = {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a form by POST; without it the request is a GET. */
  readonly form?: Readonly<Record<string, string>>;
  /** Hosts that may be this node itself or its link. */
  readonly localHosts: readonly string[];
  readonly signal: AbortSignal;
};

const redirects = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 5;

/** Node's error for a certificate of other hosts lists them, which is what the server has said. */
const unquoted = (error: unknown): unknown =>
  (error as NodeJS.ErrnoException).code === 'ERR_TLS_CERT_ALTNAME_INVALID'
    ? new Error('its certificate is not one for this host')
    : error;

const request = (
  url: URL,
  headers: Readonly<Record<string, string>>,
  options: GetOptions,
): Promise<IncomingMessage> => {
  const { form, localHosts, signal } = options;
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const lookup = lookupFor(url, localHosts);
  return send({
    protocol: url.protocol,
    hostname: bareHost(url),
    port: url.port,
    path: `${url.pathname}${url.search}`,
    headers: {
      'accept-encoding': 'identity',
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    agent: false,
    signal,
    ...(lookup === undefined ? {} : { lookup }),
    ...(body === undefined ? {} : { method: 'POST', body }),
  }).catch((error: unknown) => {
    if (error instanceof FetchError) throw error;
    throw new FetchError(`${url.origin} does not answer`, { cause: unquoted(error) });
  });
};

const target = (location: string, from: URL): URL => {
  if (!URL.canParse(location, from.href)) throw new FetchError(`${from.origin} redirects to what is no URL`);
  const next = new URL(location, from);
  const secure = from.protocol === 'https:';
  if (next.protocol !== 'https:' && (secure || next.protocol !== 'http:'))
    throw new FetchError(`${from.origin} redirects to ${secure ? 'what is not https' : 'neither http nor https'}`);
  return next;
};

/**
 * Gets a URL, following up to five redirects (never from https to http). What a request carries does not follow to
 * another host (OCI distribution specification). Throws {@link FetchError}.
 */
export const get = async (url: URL, options: GetOptions): Promise<IncomingMessage> => {
  let at: URL = url;
  let headers = options.headers ?? {};
  for (let hops = 0; hops <= maxRedirects; hops += 1) {
    const answer = await request(at, headers, options);
    const { location } = answer.headers;
    if (!redirects.has(answer.statusCode ?? 0) || location === undefined) return answer;
    answer.destroy();
    if (options.form !== undefined) throw new FetchError(`${at.origin} redirects a request with credentials`);
    const next = target(location, at);
    if (next.origin !== at.origin) headers = {};
    at = next;
  }
  throw new FetchError(`${url.origin} redirects more than ${maxRedirects} times`);
};
