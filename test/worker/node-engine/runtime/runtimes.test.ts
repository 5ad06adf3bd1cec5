import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { compileOptions, nativeName } from '../../../../worker/contract/native.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { fetchText, fixture, noWasmtime, wasmtime } from '../support/daemon.ts';
import { startEngine } from '../support/engine.ts';
import { hello, job, processes, service } from '../support/jobs.ts';
import { writeProgram } from '../support/programs.ts';
import { until } from '../support/until.ts';

const skip = noWasmtime;
const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

const portable = {
  virtualization_name: 'wasm',
  virtualization_runtime: 'wasm',
  virtualization_config: ['precompile=off'],
};

/** A wasmtime that runs `script` before it compiles. */
const compiler = async (folder: string, script: string): Promise<string> => {
  const file = join(folder, 'wasmtime');
  await writeFile(file, `#!/bin/sh\nif [ "$1" = compile ]; then ${script}; fi\nexec ${wasmtime} "$@"\n`, {
    mode: 0o755,
  });
  return file;
};

/** Where the engine looks for native code of the fixture. */
const precompiledName = async (): Promise<string> => {
  const digest = createHash('sha256')
    .update(await readFile(fixture('hello-wasi-http')))
    .digest('hex');
  const version = execFileSync(wasmtime, ['--version'], { encoding: 'utf8' }).split(' ')[1];
  return nativeName(digest, version ?? '', architecture);
};

inSandbox(import.meta.url, () => {
  t.test('native code that root has put there is run, and only then', { skip }, async (t) => {
    await using worker = await startEngine({ virtualizations: [portable] });
    const { cluster, daemon, remove } = worker;
    const folder = daemon.at('precompiled');
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const file = join(folder, await precompiledName());
    execFileSync(wasmtime, ['compile', ...compileOptions, fileURLToPath(fixture('hello-wasi-http')), '-o', file]);
    await chmod(file, 0o644);
    const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
    const deploy = async (instance: number) => {
      await cluster.send('deploy', job(image, { instance_number: instance }));
      const { status_detail: detail } = await cluster.status('CREATED', instance);
      t.equal(await fetchText(`http://10.10.${instance}.2/`), hello);
      const [pid = ''] = await processes(daemon.folder);
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      await remove(instance);
      return { detail, native: command.includes('.cwasm') };
    };
    t.match(await deploy(0), {
      detail: /^this node has no control groups for memory.*, its program code aside; /,
      native: true,
    });
    await chmod(file, 0o666);
    const untrusted = {
      detail: /^this node has no control groups for memory.*compiles the component itself/,
      native: false,
    };
    t.match(await deploy(1), untrusted, 'a file that anyone can write is not trusted');
    await chmod(file, 0o644);
    await writeFile(file, 'of another version');
    t.match(await deploy(2), { detail: /^precompiled code was refused, compiled anew/, native: false });
    t.same(cluster.violations, []);
  });

  t.test('components are compiled ahead of time', { skip }, async (t) => {
    await using worker = await startEngine();
    const { cluster, daemon, remove } = worker;
    const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
    await cluster.send('deploy', job(image));
    await cluster.status('CREATED');
    t.equal(await fetchText('http://10.10.0.2/'), hello);
    const features = /-[0-9a-f]{12}-epoch\.cwasm$/;
    const [name = '', ...others] = await readdir(daemon.at('precompiled'));
    t.same([name.replace(features, '-epoch.cwasm'), others], [await precompiledName(), []]);
    t.match(name, features);
    const [pid = ''] = await processes(daemon.folder);
    t.match(await readFile(`/proc/${pid}/cmdline`, 'utf8'), /--allow-precompiled.*\.cwasm/);
    await remove(0);
  });

  t.test('instances that come together share one compilation', { skip }, async (t) => {
    const slow = await compiler(t.testdir(), 'echo compile >>"$0.calls"; sleep 2');
    await using worker = await startEngine({}, ['--wasmtime', slow]);
    const { cluster, daemon } = worker;
    const image = `file://${await writeProgram(daemon.folder, 'echo')}`;
    for (const instance of [0, 1])
      await cluster.send('deploy', job(image, { instance_number: instance, port: '', one_shot: true }));
    for (const instance of [0, 1]) {
      const { status_detail: detail } = await cluster.status('CREATED', instance);
      t.notMatch(detail, /compiled/);
      await cluster.status('COMPLETED', instance);
    }
    t.equal(await readFile(`${slow}.calls`, 'utf8'), 'compile\n');
    t.match(await readdir(daemon.at('precompiled')), [/^[0-9a-f]{64}-.*\.cwasm$/]);
  });

  t.test('a compiler ends with its engine, however that ends, and leaves nothing', { skip }, async (t) => {
    const hanging = await compiler(t.testdir(), 'echo $$ >>"$0.calls"; exec sleep 600');
    await using worker = await startEngine({}, ['--wasmtime', hanging]);
    const { cluster, daemon, run } = worker;
    await run(0, 'echo', { one_shot: true });
    const called = async () => (await readFile(`${hanging}.calls`, 'utf8').catch(() => '')).trim();
    await until(async () => (await called()) !== '', 'the compiler', AbortSignal.timeout(120_000));
    const pid = await called();
    const runs = () =>
      readFile(`/proc/${pid}/cmdline`, 'utf8').then(
        (command) => command !== '',
        () => false,
      );
    t.ok(await runs());
    await daemon.end('SIGKILL');
    await until(async () => !(await runs()), 'the end of the compiler', AbortSignal.timeout(120_000));
    daemon.start();
    await cluster.status('FAILED');
    const left = await Promise.all(['precompiled', 'state'].map((folder) => readdir(daemon.at(folder))));
    t.notMatch(left.flat().join(), /\.part/);
  });

  t.test('a component that cannot be compiled ahead runs all the same', { skip }, async (t) => {
    const failing = await compiler(t.testdir(), "echo 'no room left' >&2; exit 1");
    await using worker = await startEngine({}, ['--wasmtime', failing]);
    const { cluster, daemon, run } = worker;
    await run(0, 'echo', { one_shot: true });
    t.match(await cluster.status('CREATED'), { status_detail: /not compiled ahead of time.*no room left/ });
    await cluster.status('COMPLETED');
    t.match(daemon.log(), /WARN .*not compiled ahead of time.*no room left/);
  });

  t.test('commands and core modules run with their arguments and environment', { skip }, async (t) => {
    await using worker = await startEngine();
    const { cluster, daemon, run, remove } = worker;
    await run(0, 'lasts');
    await cluster.status('CREATED', 0);
    await cluster.reported(0);
    await remove(0);
    t.same(cluster.statuses(0), ['CREATING', 'CREATED', 'UNDEPLOYED'], 'a busy loop can be ended');

    await run(1, 'succeeds', { one_shot: true });
    await cluster.status('COMPLETED', 1);
    await run(2, 'succeeds');
    await cluster.status('DEAD', 2);
    await run(3, 'fails', { one_shot: true });
    await cluster.until(() => cluster.statuses(3).find((status) => status === 'DEAD' || status === 'FAILED'), 'end');

    const words = ["it's", '$(reboot)', '--help', 'a b'];
    await run(4, 'echo', { one_shot: true, cmd: words, environment: ['GREETING=hello world', 'EMPTY='] });
    t.match(await cluster.status('CREATED', 4), { status_detail: /without network/ });
    await cluster.status('COMPLETED', 4);
    const said = (await readFile(join(daemon.logs, `${service}.instance.4`), 'utf8')).split('\0');
    t.same(said.slice(1, 5), words);
    t.ok(said.includes('GREETING=hello world') && said.includes('EMPTY='));

    await run(5, 'library');
    t.match(await cluster.status('FAILED', 5), { status_detail: /exports add, but not '_start'/ });
    t.same(cluster.violations, []);
  });

  t.test('nobody but the program is told what stands in its environment', { skip }, async (t) => {
    await using worker = await startEngine();
    const { cluster, daemon, run, remove } = worker;
    const secret = `correct-horse-${randomUUID()}`;
    const environment = [`TOKEN=${secret}`, `PASSWORD=${secret} ${secret}`, 'LD_DEBUG=all', 'TOKEN.OLD=1'];
    await run(0, 'echoes', { environment });
    await run(1, 'echoes', { environment, one_shot: true });
    for (const instance of [0, 1]) await cluster.status('CREATED', instance);
    const told = async (instance: number) =>
      (await readFile(join(daemon.logs, `${service}.instance.${instance}`), 'utf8')).split('\0').slice(1, -1).sort();
    const all = async () =>
      (await Promise.all([told(0), told(1)])).every(({ length }) => length === environment.length);
    await until(all, 'output of both', AbortSignal.timeout(120_000));
    for (const instance of [0, 1]) t.same(await told(instance), environment.toSorted());
    const commands = await Promise.all(
      (await readdir('/proc')).map((entry) => readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')),
    );
    const ours = commands.filter((command) => command.includes(daemon.folder) && command.includes('TOKEN'));
    t.equal(ours.length, 3, 'two programs and a recorder');
    t.notMatch(commands.join(), secret);
    for (const instance of [0, 1]) await remove(instance);
    t.same(await processes(daemon.folder), []);
    t.same(cluster.violations, []);
  });
});
