import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { deadline, until } from '../../../../lab/system/wait.ts';
import type { Artifact } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { compilerMemory } from '../../../../worker/node-engine/native/compile.ts';
import { NativeCode } from '../../../../worker/node-engine/native/native-code.ts';
import { featuresOf } from '../../../../worker/node-engine/native/processor.ts';
import { wasmtimeRuntime } from '../../../../worker/node-engine/runtime/wasmtime/runtime.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { fixture, noWasmtime, wasmtime } from '../support/daemon.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const signal = new AbortController().signal;
const day = 86_400_000;

/** A place for native code whose compiler is a shell script; what the script writes to `$calls` is in `calls`. */
const setUp = async (t: Test, script: string, budget = { bytes: 1e9, unusedMs: day }) => {
  const root = t.testdir({ folder: {}, scratch: {}, calls: '' });
  const at = (...names: string[]) => join(root, ...names);
  await chmod(at('folder'), 0o755);
  await writeFile(at('wasmtime'), `#!/bin/sh\ncalls=${at('calls')}\n${script}\n`, { mode: 0o755 });
  const runtime = wasmtimeRuntime({ path: at('wasmtime'), version: '1.2.3', user: undefined, separate: false });
  const place = { folder: at('folder'), scratch: at('scratch'), runtime, compiles: true, log: silent };
  const artifact = (name: string): Artifact => ({
    file: at(name),
    digest: createHash('sha256').update(name).digest('hex'),
    info: { kind: 'component', exports: [], imports: [], needs: [] },
  });
  const calls = async () => (await readFile(at('calls'), 'utf8')).split('\n').filter((line) => line !== '');
  return { at, artifact, calls, native: new NativeCode(place, budget), restart: () => new NativeCode(place, budget) };
};

/** Writes to where the words before say that the result goes, as wasmtime does. */
const result = 'for word; do output=$word; done; echo code >"$output"';

/**
 * Whether no process of a group runs any more (proc(5)). Those that have ended and that nobody waits for do not count:
 * not every container's first process waits for orphans.
 */
const hasEnded = async (group: number): Promise<true | undefined> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  const fields = stats.map((text) => text.slice(text.lastIndexOf(')') + 2).split(' '));
  return fields.some(([state = 'X', , its]) => Number(its) === group && !'ZX'.includes(state)) ? undefined : true;
};

inSandbox(import.meta.url, () => {
  t.test('a component is compiled once, also for the engine that comes after', async (t) => {
    const { native, restart, artifact, calls, at } = await setUp(t, `echo "$@" >>$calls; ${result}`);
    const [first, second] = await Promise.all([
      native.program(artifact('a'), signal),
      native.program(artifact('a'), signal),
    ]);
    t.same(first, second);
    t.equal(await readFile(first?.file ?? '', 'utf8'), 'code\n');
    t.equal((await stat(first?.file ?? '')).mode & 0o777, 0o644);
    const later = restart();
    await later.prepare();
    t.same(await later.program(artifact('a'), signal), first);
    t.match(await calls(), [/^compile -C cache=n .*-o \/proc\/self\/fd\/3$/]);
    t.equal((await calls()).length, 1);
    t.same(await readdir(at('scratch')), []);
    await later.discard(first as { file: string; precompiled: boolean });
    await later.program(artifact('a'), signal);
    t.equal((await calls()).length, 2, 'what was of no use is made anew');
  });

  t.test('a compiler has limits, and its result no name that another program could reach', async (t) => {
    const ask = 'readlink /proc/self/fd/3; ulimit -d; ulimit -t; ulimit -f; nice; cat /proc/self/oom_score_adj';
    const { native, artifact, calls } = await setUp(t, `{ ${ask}; } >>$calls; ${result}`);
    await native.program(artifact('a'), signal);
    const [output = '', ...limits] = await calls();
    t.match(output, / \(deleted\)$/);
    const [memory, seconds, blocks, nice, badness] = limits.map(Number);
    t.ok((memory ?? 0) > 0 && (memory ?? 0) <= 2 * 1024 * 1024, 'kilobytes of memory');
    t.ok((seconds ?? 0) >= 300);
    t.equal(blocks, 2 * 1024 * 1024);
    t.same([nice, badness], [19, 1000]);
    t.equal(compilerMemory(1024 ** 3), 512 * 1024 ** 2);
    t.equal(compilerMemory(64 * 1024 ** 3), 2 * 1024 ** 3);
  });

  t.test('what a compiler leaves running cannot change its result any more', async (t) => {
    const later = `{ until [ -e $calls.go ]; do sleep 0.02; n=\${n}x; [ \${#n} -lt 999 ] || exit; done
      echo worse >"$output"; echo done >>$calls; } 2>/dev/null &`;
    const { native, artifact, calls, at } = await setUp(t, `${result}\n${later}`);
    const { file = '' } = (await native.program(artifact('a'), signal)) ?? {};
    await writeFile(at('calls.go'), '');
    await until(async () => ((await calls()).length > 0 ? true : undefined), deadline(120_000, 'a late write'));
    t.equal(await readFile(file, 'utf8'), 'code\n');
  });

  t.test('two compilers at a time; one that is given up ends with all its children', async (t) => {
    const { native, artifact, calls } = await setUp(t, `echo $$ >>$calls; sleep 600 & wait`);
    const stop = new AbortController();
    const outcome = ({ message }: Error) => message;
    const all = ['a', 'b', 'c'].map((name) => native.program(artifact(name), stop.signal).catch(outcome));
    await until(async () => ((await calls()).length >= 2 ? true : undefined), deadline(120_000, 'two compilers'));
    const groups = (await calls()).map(Number);
    stop.abort(new Error('deleted'));
    t.same(await Promise.all(all), ['deleted', 'deleted', 'deleted']);
    t.equal((await calls()).length, 2);
    for (const group of groups) await until(() => hasEnded(group), deadline(120_000, 'the end of a compiler'));
  });

  t.test('what fails is told in the words of the compiler, and leaves nothing behind', async (t) => {
    const { native, artifact, at } = await setUp(t, `echo 'no room left' >&2; exit 3`);
    await t.rejects(native.program(artifact('a'), signal), { message: 'the compiler ended with 3: no room left' });
    const killed = await setUp(t, 'kill -9 $$');
    await t.rejects(killed.native.program(killed.artifact('a'), signal), /the compiler was ended by SIGKILL/);
    for (const folder of ['folder', 'scratch']) t.same(await readdir(at(folder)), []);
  });

  t.test('code is evicted by age and size, but not what root has put there', async (t) => {
    const { native, restart, artifact, at } = await setUp(t, result, { bytes: 12, unusedMs: day });
    const made = async (name: string) => (await native.program(artifact(name), signal))?.file ?? '';
    const [old, middle] = [await made('old'), await made('middle')];
    const given = at('folder', `${'0'.repeat(64)}-1.2.3-x86_64-epoch.cwasm`);
    await writeFile(given, 'of root');
    for (const file of [given, old]) await utimes(file, 1, 1);
    await writeFile(`${middle}.77.part`, 'half');
    await writeFile(at('scratch', '77-1.part'), 'half');
    await restart().prepare();
    const left = async () => (await readdir(at('folder'))).map((name) => at('folder', name)).toSorted();
    t.same(await left(), [given, middle].toSorted());
    t.same(await readdir(at('scratch')), []);
    await utimes(middle, Date.now() / 1000 - 60, Date.now() / 1000 - 60);
    const [third, fourth] = [await made('third'), await made('fourth')];
    t.same(await left(), [given, third, fourth].toSorted());
  });

  t.test('code that somebody else could have written is not run', async (t) => {
    const { native, artifact, calls, at } = await setUp(t, `echo call >>$calls; ${result}`);
    const { file = '' } = (await native.program(artifact('a'), signal)) ?? {};
    await chmod(file, 0o666);
    await native.program(artifact('a'), signal);
    t.equal((await calls()).length, 2, 'compiled anew');
    await chmod(at('folder'), 0o777);
    await t.rejects(native.program(artifact('a'), signal), /must belong to root and be writable by nobody else/);
    t.equal((await calls()).length, 2);
  });

  t.test('code on a read-only disk is used, and what cannot be removed is no failure', async (t) => {
    const { native, artifact, at } = await setUp(t, result);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'disk', at('folder')]);
    const { file = '', precompiled = true } = (await native.program(artifact('a'), signal)) ?? {};
    execFileSync('mount', ['-o', 'remount,ro', 'disk', at('folder')]);
    t.match(await native.program(artifact('a'), signal), { file });
    await native.discard({ file, precompiled });
    await t.rejects(native.program(artifact('b'), signal), { code: 'EROFS' });
    execFileSync('mount', ['-o', 'remount,rw', 'disk', at('folder')]);
    await native.program(artifact('b'), signal);
    await native.discard({ file, precompiled });
    t.equal((await readdir(at('folder'))).length, 1);
    execFileSync('umount', [at('folder')]);
  });

  t.test('the real compiler, within its limits', { skip: noWasmtime }, async (t) => {
    const root = t.testdir({ folder: {}, scratch: {} });
    await mkdir(root, { recursive: true });
    const version = execFileSync(wasmtime, ['--version'], { encoding: 'utf8' }).split(' ')[1] ?? '';
    const file = fileURLToPath(fixture('hello-wasi-http'));
    const native = new NativeCode({
      folder: join(root, 'folder'),
      scratch: join(root, 'scratch'),
      runtime: wasmtimeRuntime({ path: wasmtime, version, user: undefined, separate: false }),
      compiles: true,
      log: silent,
    });
    const artifact: Artifact = {
      file,
      digest: '0'.repeat(64),
      info: { kind: 'component', exports: [], imports: [], needs: [] },
    };
    const program = await native.program(artifact, signal);
    t.equal((await readFile(program?.file ?? '')).subarray(1, 4).toString(), 'ELF');
  });
});

t.test('code belongs to the features of the processor that it was made for', async (t) => {
  const x86 = 'processor\t: 0\nmodel name\t: A\nflags\t\t: fpu avx2 sse\n\nprocessor\t: 1\nflags\t\t: sse avx2 fpu\n';
  t.match(featuresOf(x86), /^[0-9a-f]{12}$/);
  t.equal(featuresOf(x86), featuresOf('flags : avx2 fpu sse\n'));
  t.not(featuresOf(x86), featuresOf('flags : avx512f fpu sse\n'));
  t.not(featuresOf('Features\t: fp asimd crc32\n'), featuresOf('Features\t: fp asimd aes crc32\n'));
});
