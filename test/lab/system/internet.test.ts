import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { proxySettings, proxyVariables, requestInternet } from '../../../lab/system/internet/internet.ts';
import { serveHttp } from './server.ts';

const module = fileURLToPath(new URL('../../../lab/system/internet/internet.ts', import.meta.url));

/** What a process with these variables gets from `url`: only a process of its own has an environment of its own. */
const bodyWith = async (env: Readonly<Record<string, string>>, url: string): Promise<string> => {
  const program = `
    import { text } from 'node:stream/consumers';
    import { requestInternet } from '${module}';
    const [url] = process.argv.slice(1);
    process.stdout.write(await requestInternet(url).then(text, (error) => 'failed: ' + error.message));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, url], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [body] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return body;
};

/** A forward proxy (RFC 9110, 7.6) that leads every host to `port` on loopback and notes what it was asked for. */
const startProxy = async (port: number) => {
  const asked: string[] = [];
  const credentials: string[] = [];
  const proxy = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    credentials.push(request.headers['proxy-authorization'] ?? '');
    const { pathname } = new URL(request.url ?? '');
    http.get({ host: '127.0.0.1', port, path: pathname }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
  });
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return {
    address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    asked,
    credentials,
    [Symbol.asyncDispose]: async () => {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
};

t.test('downloads go through the proxy that the environment names, with its credentials', async (t) => {
  await using server = await serveHttp((_request, response) => response.end('from the mirror'));
  await using proxy = await startProxy(Number(new URL(server.url).port));
  const url = 'http://mirror.test/debian/file';
  for (const env of [
    { HTTP_PROXY: `http://user:s%40cret@${proxy.address}` },
    { http_proxy: `http://${proxy.address}` },
    { HTTP_PROXY: proxy.address },
    { ALL_PROXY: `http://${proxy.address}` },
  ])
    t.equal(await bodyWith(env, url), 'from the mirror', Object.keys(env).join());
  t.strictSame(
    proxy.asked,
    Array.from({ length: 4 }, () => `GET ${url}`),
  );
  t.equal(proxy.credentials[0], `Basic ${Buffer.from('user:s@cret').toString('base64')}`);
});

t.test('TLS goes through a tunnel of the proxy, and its refusal is said without the credentials', async (t) => {
  await using proxy = await startProxy(1);
  const body = await bodyWith({ HTTPS_PROXY: `http://user:secret@${proxy.address}` }, 'https://releases.test/file');
  t.strictSame(proxy.asked, ['CONNECT releases.test:443']);
  t.match(body, /^failed: .*releases\.test:443.*403 Forbidden/s);
  t.notMatch(body, /secret/);
});

t.test('NO_PROXY names hosts that are reached without it', async (t) => {
  await using server = await serveHttp((_request, response) => response.end('direct'));
  await using proxy = await startProxy(1);
  const env = { HTTP_PROXY: `http://${proxy.address}`, NO_PROXY: 'example.test,127.0.0.1' };
  t.equal(await bodyWith(env, server.url), 'direct');
  t.strictSame(proxy.asked, []);
});

t.test('what is no HTTP proxy is refused with a remedy, not passed over', async (t) => {
  for (const value of ['socks5://127.0.0.1:1080', 'http://', 'http://a b'])
    t.throws(() => proxySettings({ HTTPS_PROXY: value }), {
      message: /^HTTPS_PROXY names no HTTP proxy/,
      fault: 'lab',
      next: [/export HTTPS_PROXY=http:\/\/HOST:PORT/],
    });
  t.strictSame(proxySettings({ http_proxy: 'a:1', HTTP_PROXY: 'b:1', no_proxy: ' x ' }), {
    http: 'http://a:1',
    exceptions: 'x',
  });
  t.strictSame(proxySettings({ HTTP_PROXY: ' ' }), { exceptions: '' });
});

t.test('programs that download by themselves are told under every name', async (t) => {
  t.strictSame(proxyVariables({ HTTP_PROXY: 'a:1', NO_PROXY: 'b' }), {
    ...{ http_proxy: 'http://a:1', HTTP_PROXY: 'http://a:1' },
    ...{ no_proxy: 'b', NO_PROXY: 'b' },
  });
});

t.test('redirects are followed, but not in circles and not out of TLS', async (t) => {
  await using server = await serveHttp((request, response) => {
    if (request.url === '/old') response.writeHead(302, { location: '/new' }).end();
    else if (request.url === '/circle') response.writeHead(301, { location: '/circle' }).end();
    else response.end('found');
  });
  t.equal(await text(await requestInternet(`${server.url}/old`)), 'found');
  await t.rejects(requestInternet(`${server.url}/circle`), /more than 5 redirects/);
});
