import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { maxHeadBytes } from '../../../../worker/contract/limits.ts';
import { firstResponse } from '../../../../worker/node-engine/instances/readiness.ts';
import type { Running } from '../../../../worker/node-engine/process/launch.ts';
import { hasCode } from '../../../../worker/node-engine/runtime/wasmtime/begun.ts';

const forever: Running = { id: { pid: 0, start: 0 }, exited: new Promise(() => undefined) };

/** Asks a service that handles requests so. */
const ask = async (t: Test, handle: RequestListener, ms: number, running = forever): Promise<number> => {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return await firstResponse(running, { name: 'wasmtime' }, '127.0.0.1', port, new AbortController().signal, ms);
};

t.test('a service that never answers is given up when its time is over, and that is said', async (t) => {
  await t.rejects(
    ask(t, () => undefined, 300),
    { name: 'LaunchError', message: /the first HTTP response took longer than 0.3 s/ },
  );
});

t.test('why nothing answered is said, too', async (t) => {
  const attempt = firstResponse(forever, { name: 'wasmtime' }, '127.0.0.1', 1, new AbortController().signal, 2000);
  await t.rejects(attempt, { message: /took longer than 2 s \(connect ECONNREFUSED/ });
});

t.test('a service that ends is not waited for', async (t) => {
  const ended: Running = { ...forever, exited: Promise.resolve({ code: 3, signal: null }) };
  await t.rejects(
    ask(t, () => undefined, 60_000, ended),
    { message: 'wasmtime exited with 3 before it answered' },
  );
});

t.test('one request is patient: a service may take its time for its first answer', async (t) => {
  let asked = 0;
  const slow: RequestListener = (_, response) => {
    asked += 1;
    setTimeout(() => response.writeHead(404).end(), 1500);
  };
  t.equal(await ask(t, slow, 60_000), 404);
  t.equal(asked, 1);
});

t.test('an answer with large headers is one, up to 256 KiB', async (t) => {
  const withHeaders = (bytes: number): RequestListener => {
    return (_, response) => response.setHeader('x-large', 'x'.repeat(bytes)).end();
  };
  t.equal(await ask(t, withHeaders(250 * 1024), 60_000), 200);
  await t.rejects(ask(t, withHeaders(maxHeadBytes), 60_000), { message: /more than 256 KiB of headers/ });
});

t.test('a program has begun only once its own code is in memory', async (t) => {
  const libraries = `55f8db393000-55f8dd3ad000 r-xp 00c2f000 fe:00 10044305      /usr/bin/wasmtime
7f2eb8150000-7f2eb8151000 r--p 00000000 00:00 0
7f2eb8161000-7f2eb8162000 rw-p 00000000 fe:00 7             /state/a component.cwasm
7f2eb8a5e000-7f2eb8a60000 r-xp 00000000 00:00 0                          [vdso]
`;
  const compiled = '7f2eb8150000-7f2eb8151000 r-xp 00000000 00:00 0 \n';
  const mapped = '7f2eb8150000-7f2eb8151000 r-xp 00001000 fe:00 7             /state/a component.cwasm\n';
  t.notOk(hasCode(libraries, '/state/a component.cwasm'));
  t.ok(hasCode(libraries + compiled, '/state/a component.wasm'));
  t.ok(hasCode(libraries + mapped, '/state/a component.cwasm'));
});
