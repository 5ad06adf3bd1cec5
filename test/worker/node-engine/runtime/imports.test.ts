import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import t, { type Test } from 'tap';
import { type ComponentInfo, inspectComponent } from '../../../../worker/contract/component.ts';
import { factsOf } from '../../../../worker/node-engine/runtime/wasmtime/features.ts';
import {
  checkImports,
  type Feature,
  featuresOf,
  importOptions,
  offers,
} from '../../../../worker/node-engine/runtime/wasmtime/imports.ts';
import { run } from '../../../../worker/system/run.ts';
import { noWasmtime, wasmtime } from '../support/daemon.ts';
import { command } from '../support/programs.ts';

const runtime = { version: '48.0.2', lacks: new Set<Feature>() };
const importing = (...imports: string[]): ComponentInfo => ({
  kind: 'component',
  exports: ['wasi:cli/run@0.2.0', 'wasi:http/incoming-handler@0.2.0'],
  imports,
  needs: imports,
});

t.test('what a component imports decides what it is given', async (t) => {
  const given = (world: 'proxy' | 'command', ...imports: string[]) =>
    importOptions(importing(...imports), world, runtime);
  t.same(given('proxy', 'wasi:cli/stdout@0.2.6', 'wasi:http/types@0.2.9', 'wasi:http/outgoing-handler@0.2.9'), []);
  t.same(given('command', 'wasi:http/types@0.2.9', 'wasi:http/outgoing-handler@0.2.9'), ['-S', 'http']);
  t.same(given('command', 'wasi:http/client@0.3.2'), ['-S', 'http']);
  for (const world of ['proxy', 'command'] as const) {
    const network = ['-S', 'inherit-network,allow-ip-name-lookup'];
    t.same(given(world, 'wasi:sockets/tcp@0.2.0', 'wasi:sockets/ip-name-lookup@0.2.3'), network);
    t.same(given(world, 'wasi:sockets/types@0.3.0'), network);
    t.same(given(world, 'wasi:config/store@0.2.0-rc.1'), ['-S', 'config']);
    t.same(given(world, 'wasi:keyvalue/store@0.2.0-draft', 'wasi:keyvalue/atomics@0.2.0-draft'), ['-S', 'keyvalue']);
  }
  const preview1: ComponentInfo = {
    kind: 'module',
    exports: ['_start'],
    imports: ['wasi_snapshot_preview1'],
    needs: [],
  };
  t.same(importOptions(preview1, 'module', runtime), []);
});

t.test('what this wasmtime has not got is refused, named once and in one sentence', async (t) => {
  const refused = (world: 'proxy' | 'command', ...imports: string[]) => {
    try {
      checkImports(importing(...imports), world, runtime);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  t.equal(
    refused('proxy', 'acme:foo/bar@1.0.0', 'wasi:io/poll@0.2.0', 'wasi:tls/types@0.2.0-draft'),
    "image: it imports 'acme:foo/bar@1.0.0', 'wasi:tls/types@0.2.0-draft', which wasmtime 48.0.2 does not provide to HTTP services",
  );
  t.equal(refused('command', 'wasi:tls/types@0.2.0-draft'), undefined);
  t.match(
    refused('command', 'wasi:http/incoming-handler@0.2.0'),
    /incoming-handler/,
    'a part of a chain is no program',
  );
  t.match(refused('command', 'wasi:cli/environment@0.2.0-rc-2023-12-05'), /rc-2023-12-05/);
  t.match(refused('command', 'log'), /it imports 'log', which/);
  const many = Array.from({ length: 1000 }, (_, index) => `${'x'.repeat(300)}:p/i${index}`);
  t.match(refused('proxy', ...many), /^.{500,700} and 995 more, which wasmtime/);
  const later = { version: '60.0.0', lacks: runtime.lacks };
  t.doesNotThrow(() => checkImports(importing('wasi:gpu/device@0.4.0'), 'proxy', later), 'a later one may have more');
  t.throws(() => checkImports(importing('acme:foo/bar'), 'proxy', later), /acme/);
  const module: ComponentInfo = { kind: 'module', exports: ['_start'], imports: ['env'], needs: ['env'] };
  t.throws(() => checkImports(module, 'module', runtime), { message: /it imports 'env', which .* to core modules$/ });
});

/** A function of every interface that has one, and of some that wasmtime has not got. */
const functions: Readonly<Record<string, string>> = {
  'wasi:cli/environment@0.2.3': 'get-environment',
  'wasi:cli/exit@0.2.0': 'exit',
  'wasi:cli/stdin@0.2.0': 'get-stdin',
  'wasi:cli/terminal-stdin@0.2.0': 'get-terminal-stdin',
  'wasi:cli/environment@0.3.0': 'get-arguments',
  'wasi:cli/stdin@0.3.0': 'read-via-stream',
  'wasi:cli/terminal-stdout@0.3.0': 'get-terminal-stdout',
  'wasi:clocks/monotonic-clock@0.2.0': 'now',
  'wasi:clocks/wall-clock@0.2.0': 'now',
  'wasi:clocks/system-clock@0.3.0': 'now',
  'wasi:clocks/wall-clock@0.3.0': 'now',
  'wasi:clocks/monotonic-clock@0.3.0': 'now',
  'wasi:clocks/timezone@0.2.0': 'display',
  'wasi:random/random@0.3.9': 'get-random-u64',
  'wasi:random/insecure@0.2.0': 'get-insecure-random-u64',
  'wasi:random/insecure-seed@0.3.0': 'get-insecure-seed',
  'wasi:io/poll@0.2.99': 'poll',
  'wasi:filesystem/preopens@0.2.0': 'get-directories',
  'wasi:filesystem/preopens@0.3.0': 'get-directories',
  'wasi:http/outgoing-handler@0.2.0': 'handle',
  'wasi:http/incoming-handler@0.2.0': 'handle',
  'wasi:http/client@0.3.0': 'send',
  'wasi:http/handler@0.3.0': 'handle',
  'wasi:sockets/ip-name-lookup@0.2.0': 'resolve-addresses',
  'wasi:sockets/ip-name-lookup@0.3.0': 'resolve-addresses',
  'wasi:sockets/tcp-create-socket@0.2.0': 'create-tcp-socket',
  'wasi:sockets/instance-network@0.2.0': 'instance-network',
  'wasi:config/store@0.2.0-rc.1': 'get',
  'wasi:config/store@0.2.0': 'get',
  'wasi:keyvalue/store@0.2.0-draft': 'open',
  'wasi:keyvalue/atomics@0.2.0-draft': 'increment',
  'wasi:keyvalue/batch@0.2.0-draft': 'get-many',
  'wasi:keyvalue/watcher@0.2.0-draft': 'on-set',
  'wasi:nn/graph@0.2.0-rc-2024-10-28': 'load',
  'wasi:cli/environment@0.3.0-rc-2025-09-16': 'get-arguments',
  'wasi:logging/logging': 'log',
  'acme:foo/bar@1.0.0': 'baz',
};

const host = { path: wasmtime, user: undefined, separate: false } as const;

t.test('the table is what wasmtime itself links', { skip: noWasmtime }, async (t) => {
  const version = /\d+\.\d+\.\d+/.exec(await run([wasmtime, '--version']))?.[0] ?? '';
  if (!version.startsWith('48.')) return t.comment(`the table is of wasmtime 48, not of ${version}`);
  const folder = t.testdir();
  for (const [name, item] of Object.entries(functions)) {
    const file = join(folder, 'probe.wasm');
    // no function has this type: wasmtime says so, unless it has not got the function at all
    const wrong = `(import "${name}" (instance (export "${item}" (func (param "zz" u8) (result u8)))))`;
    const bytes = await parse(command('i32.const 0', wrong));
    await writeFile(file, bytes);
    const info = inspectComponent(bytes);
    const lacks = await factsOf({ ...host, version }, featuresOf(info, 'command'));
    const options = importOptions(info, 'command', lacks);
    const said = await run([wasmtime, 'run', '-C', 'cache=n', ...options, file]).then(
      () => t.fail(`${name} was linked with a wrong type`),
      (error: Error) => error.message,
    );
    const missing = /function implementation is missing/.test(String(said));
    if (missing) t.throws(() => checkImports(info, 'command', lacks), { name: 'InvalidData' }, `${name} is refused`);
    else t.doesNotThrow(() => checkImports(info, 'command', lacks), `${name} is given`);
  }
});

t.test('a wasmtime is asked for what it may lack, once', { skip: noWasmtime }, async (t) => {
  const script = async (t: Test, refuses: string): Promise<string> => {
    const path = join(t.testdir(), 'wasmtime');
    const body = `echo "$@" >>"$0.calls"\ncase "$*" in *'${refuses}'*) echo 'not compiled in' >&2; exit 1;; esac`;
    await writeFile(path, `#!/bin/sh\n${body}\nexec ${wasmtime} "$@"\n`, { mode: 0o755 });
    return path;
  };
  const all: readonly Feature[] = ['http', 'config', 'keyvalue', 'wasi 0.3'];
  const path = await script(t, '-S config');
  const without = { ...host, path, version: '48.0.2' };
  t.same([...(await factsOf(without, all)).lacks], ['config']);
  t.same([...(await factsOf(without, all)).lacks], ['config']);
  t.equal((await readFile(`${path}.calls`, 'utf8')).trim().split('\n').length, all.length + 1);
  const info = importing('wasi:config/store@0.2.0-rc.1');
  const facts = await factsOf(without, featuresOf(info, 'proxy'));
  t.throws(() => checkImports(info, 'proxy', facts), { message: /wasi:config\/store/ });
  t.same(importOptions(info, 'proxy', facts), [], 'an option that it has not got would end it');
  const broken = { ...host, path: '/nonexistent/wasmtime', version: '48.0.2' };
  t.same([...(await factsOf(broken, all)).lacks], [], 'one that cannot be asked is not said to lack anything');
});

t.test('the components that wasmtime is asked with are what they are said to be', async (t) => {
  const source = await readFile(
    new URL('../../../../worker/node-engine/runtime/wasmtime/features.ts', import.meta.url),
    'utf8',
  );
  const random = '(import "wasi:random/random@0.3.0" (instance (export "get-random-u64" (func (result u64)))))';
  for (const imports of ['', random])
    t.ok(source.includes(Buffer.from(await parse(command('i32.const 0', imports))).toString('base64')), imports);
});

t.test('the README has the table', async (t) => {
  const readme = await readFile(new URL('../../../../README.md', import.meta.url), 'utf8');
  const rows = offers.map(
    ({ package: name, versions, given }) => `| \`${name}\` | ${Object.keys(versions).join(', ')} | ${given} |`,
  );
  t.ok(
    readme.includes(`| import | versions | what it is given |\n| --- | --- | --- |\n${rows.join('\n')}\n`),
    rows.join('\n'),
  );
});
