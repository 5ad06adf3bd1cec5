import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { hostMachine } from '../../../lab/system/elf.ts';
import { messageOf } from '../../../lab/system/errors.ts';
import { cachePath } from '../../../lab/system/files/cache.ts';
import { fileDigest } from '../../../lab/system/files/digest.ts';
import { helloApp } from '../../../lab/wasm/app.ts';
import { compileAhead, precompiledPath } from '../../../lab/wasm/compile.ts';
import { pinnedVersion, provideWasmtime } from '../../../lab/wasm/wasmtime.ts';
import { privateCache } from '../../support/files/private.ts';

const host = hostMachine();
const other = host === 'aarch64' ? 'x86_64' : 'aarch64';
const reason = await provideWasmtime(host, undefined, AbortSignal.timeout(240_000)).then(
  () => false as const,
  (error: unknown) => `no wasmtime: ${messageOf(error)}`,
);

t.test('the pinned version, by its digest', { skip: reason }, async (t) => {
  const wasmtime = await provideWasmtime(host);
  t.match(wasmtime, { version: pinnedVersion, pinned: true, sha256: await fileDigest(wasmtime.file) });
  t.match((await execa(wasmtime.file, ['--version'])).stdout, `wasmtime ${pinnedVersion}`);
});

t.test('a program in the cache that is not the pinned one is removed, not run', { skip: reason }, async (t) => {
  await using _ = await privateCache([]);
  const file = cachePath('wasmtime', `${pinnedVersion}-${host}`);
  await fs.mkdir(path.dirname(file), { recursive: true });
  await fs.writeFile(file, 'something else', { mode: 0o755 });
  await t.rejects(provideWasmtime(host), { fault: 'lab', message: /was damaged and has been removed: run again/ });
  await t.rejects(fs.stat(file), { code: 'ENOENT' });
});

t.test('a program that the user has', { skip: reason }, async (t) => {
  const { file, sha256 } = await provideWasmtime(host);
  t.match(await provideWasmtime(host, file), { file, version: pinnedVersion, sha256, pinned: false });
  await t.rejects(provideWasmtime(other, file), {
    fault: 'usage',
    message: `${file} is for ${host}, the machine is ${other}`,
  });
  await t.rejects(provideWasmtime(host, process.execPath), {
    fault: 'usage',
    message: /does not look like a wasmtime program/,
  });
});

t.test('whatever else is asked for is refused, with what would be right', async (t) => {
  for (const wanted of ['newest', '', '48', 'v48.0.2', '48.0.2; id', '48.0.2\n'])
    await t.rejects(provideWasmtime(host, wanted), {
      fault: 'usage',
      message: /takes a version like \d+\.\d+\.\d+ or a path/,
    });
  await t.rejects(provideWasmtime(host, './none'), { fault: 'usage', message: /is not a program for Linux/ });
  await t.rejects(provideWasmtime(host, '/etc/hostname'), { fault: 'usage', message: /is not a program for Linux/ });
});

t.test('a component is compiled once for a machine, and runs nowhere else', { skip: reason }, async (t) => {
  await using _ = await privateCache(['wasmtime']);
  const [app, compiler] = await Promise.all([helloApp(), provideWasmtime(host)]);
  const artifact = await compileAhead(app, compiler, 'aarch64');
  t.equal((await fs.readFile(artifact)).readUInt16LE(18), 183, 'it is machine code for aarch64');
  const { mtimeMs } = await fs.stat(artifact);
  t.equal(await compileAhead(app, compiler, 'aarch64'), artifact);
  t.equal((await fs.stat(artifact)).mtimeMs, mtimeMs, 'it was not compiled again');
  t.strictSame(await fs.readdir(path.dirname(artifact)), [path.basename(artifact)]);
  const place = precompiledPath(app, pinnedVersion, 'aarch64');
  t.ok(place.includes(app.sha256) && place.includes(pinnedVersion), 'it is kept by component and version');
  const broken = { ...app, sha256: '0'.repeat(64), bytes: app.bytes.subarray(0, 100) };
  await t.rejects(compileAhead(broken, compiler, 'aarch64'), { message: /compile/ });
});
