import http from 'node:http';
import https from 'node:https';
import { getCACertificates } from 'node:tls';
import { labFault } from '../errors.ts';

const maxRedirects = 5;

type Environment = Readonly<Record<string, string | undefined>>;

/** Proxies for requests to the internet, as `http://[user:password@]host:port`, and the hosts that need none. */
export type ProxySettings = {
  readonly http?: string;
  readonly https?: string;
  readonly exceptions: string;
};

/** The variables that name a proxy for a scheme, the one that counts first. */
const namesFor = (scheme: 'http' | 'https') => [
  `${scheme}_proxy`,
  `${scheme.toUpperCase()}_PROXY`,
  'all_proxy',
  'ALL_PROXY',
];

/** A proxy's address as Node's agents take it; many environments leave the scheme out, as curl allows. */
const addressOf = (name: string, value: string): string => {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(text) || !/^https?:\/\/[^/]/i.test(text))
    throw labFault(`${name} names no HTTP proxy: the lab's downloads cannot use it`, [
      `export ${name}=http://HOST:PORT, or unset ${name} and set LAB_DEBIAN_MIRROR to a mirror that needs no proxy`,
    ]);
  return text;
};

const proxyFor = (scheme: 'http' | 'https', env: Environment): string | undefined => {
  const name = namesFor(scheme).find((one) => env[one]?.trim());
  return name === undefined ? undefined : addressOf(name, env[name]?.trim() ?? '');
};

/**
 * The proxies that an environment names (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in either case). Throws
 * a lab fault for what is no HTTP proxy, such as SOCKS.
 */
export const proxySettings = (env: Environment = process.env): ProxySettings => {
  const [plain, secure] = [proxyFor('http', env), proxyFor('https', env)];
  return {
    ...(plain === undefined ? {} : { http: plain }),
    ...(secure === undefined ? {} : { https: secure }),
    exceptions: env['no_proxy']?.trim() || env['NO_PROXY']?.trim() || '',
  };
};

/** The proxies of an environment under each name that programs look for: wget and apt know only those in lower case. */
export const proxyVariables = (env: Environment = process.env): Readonly<Record<string, string>> => {
  const { http: plain, https: secure, exceptions } = proxySettings(env);
  const values = { http_proxy: plain, https_proxy: secure, no_proxy: exceptions || undefined };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const, [name.toUpperCase(), value] as const],
    ),
  );
};

/**
 * A connection through the proxy of the environment, if it names one. Authorities of this computer's own store count
 * beside Node's: a company's proxy may look into TLS connections.
 */
const agentFor = (url: URL): http.Agent => {
  const { http: plain, https: secure, exceptions } = proxySettings();
  const proxyEnv = { http_proxy: plain, https_proxy: secure, no_proxy: exceptions };
  if (url.protocol !== 'https:') return new http.Agent({ proxyEnv });
  const ca = [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
  return new https.Agent({ proxyEnv, ca });
};

const requestOnce = (
  url: URL,
  { method = 'GET', headers = {}, signal }: RequestOptions,
): Promise<http.IncomingMessage> => {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const { request } = url.protocol === 'https:' ? https : http;
  request(url, { method, headers, agent: agentFor(url), ...(signal ? { signal } : {}) })
    .once('response', resolve)
    .once('error', reject)
    .end();
  return promise;
};

type RequestOptions = {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Asks a server on the internet, through the proxy that the environment names, and follows redirects. Requests to a
 * board or to the lab's own servers are not made by it: no proxy is between them. The caller reads the body, or
 * destroys it.
 */
export const requestInternet = async (address: string, options: RequestOptions = {}): Promise<http.IncomingMessage> => {
  let url = new URL(address);
  for (let redirects = 0; ; redirects++) {
    const response = await requestOnce(url, options);
    const { statusCode = 0, headers } = response;
    const isRedirect = [301, 302, 303, 307, 308].includes(statusCode) && headers.location !== undefined;
    if (!isRedirect) return response;
    response.resume();
    if (redirects === maxRedirects) throw new Error(`${address}: more than ${maxRedirects} redirects`);
    const next = new URL(headers.location ?? '', url);
    if (url.protocol === 'https:' && next.protocol !== 'https:')
      throw new Error(`${address}: redirected from TLS to ${next.protocol}`);
    url = next;
  }
};
