import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { helloApp, openApp } from '../../../lab/wasm/app.ts';
import { removeFolder } from '../../support/files/remove.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../fixtures/${name}/${name}.wasm`, import.meta.url));

t.test('a component that answers HTTP is taken as it is', async (t) => {
  const hello = await helloApp();
  const pinned = await fs.readFile(`${fixture('hello-wasi-http')}.sha256`, 'utf8');
  t.equal(hello.sha256, pinned.trim().split(' ')[0]);
  t.equal(hello.body, 'Hello, wasi:http/proxy world!\n');
  const greeter = await openApp(fixture('greeter-wasi-http'));
  t.match(greeter, { name: 'greeter-wasi-http.wasm', sha256: /^[0-9a-f]{64}$/ });
  t.notOk('body' in greeter, 'what it answers is not known');
  t.match(await openApp(fixture('p3-wasi-http')), { name: 'p3-wasi-http.wasm' }, 'WASI 0.3 is as good');
});

t.test('whatever cannot be served is refused with the reason', async (t) => {
  const folder = await fs.mkdtemp('/tmp/lab-app-');
  t.teardown(() => removeFolder(folder));
  const file = path.join(folder, 'x.wasm');
  const refused = async (bytes: Uint8Array | string, reason: RegExp) => {
    await fs.writeFile(file, bytes);
    await t.rejects(openApp(file), { fault: 'usage', message: reason, next: [/wasm32-wasip2/] });
  };
  await refused('', /x\.wasm cannot be served/);
  await refused('#!/bin/sh\n', /x\.wasm cannot be served/);
  await refused(Buffer.from('0061736d01000000', 'hex'), /it is a core module, not a component/);
  await refused(
    Buffer.from('0061736d0d000100', 'hex'),
    /exports neither wasi:http\/incoming-handler nor wasi:http\/handler \(but nothing\)/,
  );
  const whole = await fs.readFile(fixture('hello-wasi-http'));
  for (const part of [0.1, 0.5, 0.9, 0.999])
    await refused(whole.subarray(0, Math.floor(whole.length * part)), /x\.wasm cannot be served/);
  await t.rejects(openApp(path.join(folder, 'none.wasm')), {
    fault: 'usage',
    message: /cannot read none\.wasm: ENOENT/,
  });
  await t.rejects(openApp(folder), { fault: 'usage', message: /cannot read .*EISDIR/ });
});
