import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import t from 'tap';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { fetchText, fixture, noWasmtime } from '../support/daemon.ts';
import { startEngine } from '../support/engine.ts';
import { job, processes, service } from '../support/jobs.ts';
import { command } from '../support/programs.ts';
import { until } from '../support/until.ts';

const skip = noWasmtime;

const conf = (...flags: string[]) => ({
  virtualizations: [{ virtualization_name: 'wasm', virtualization_runtime: 'wasm', virtualization_config: flags }],
});

/** An import of wasi:config/store with its two functions. */
const store = `(type $st (instance
    (type $err (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $e (eq $err)))
    (type $o (option string)) (type $r (result $o (error $e)))
    (export "get" (func (param "key" string) (result $r)))))
  (import "wasi:config/store@0.2.0-rc.1" (instance $c (type $st)))`;

inSandbox(import.meta.url, () => {
  t.test('a service of WASI 0.3 is served like one of 0.2', { skip }, async (t) => {
    await using engine = await startEngine();
    const { cluster, remove } = engine;
    await cluster.send('deploy', job(await cluster.offer('p3.wasm', fixture('p3-wasi-http'))));
    await cluster.status('CREATED');
    t.equal(await fetchText('http://10.10.0.2/a/path'), '200 Hello from WASI 0.3: /a/path\n');
    await remove(0);
    t.same(cluster.violations, []);
  });

  t.test('a component is given what it imports, and refused when that is not there', { skip }, async (t) => {
    await using engine = await startEngine();
    const { cluster, daemon } = engine;
    const deploy = async (instance: number, imports: string, more: Record<string, unknown> = {}) => {
      const file = join(daemon.folder, `${instance}.wasm`);
      await writeFile(file, await parse(command('i32.const 0', imports)));
      await cluster.send(
        'deploy',
        job(`file://${file}`, { instance_number: instance, port: '', one_shot: true, ...more }),
      );
    };
    const environment = ['COLOUR=blue', 'LIST=a,b', 'OAKESTRA_TIMEOUT=5'];
    await deploy(0, store, { environment });
    const { status_detail: detail } = await cluster.status('CREATED', 0);
    t.match(detail, /wasi:config has the job's environment from wasmtime's arguments: users of this node can read it/);
    t.match(detail, /LIST is not in wasi:config: wasmtime takes no comma there/);
    t.notMatch(detail, /OAKESTRA/);
    await cluster.status('COMPLETED', 0);
    await deploy(1, '(import "acme:foo/bar@1.0.0" (instance (export "baz" (func))))');
    const said = await cluster.status('FAILED', 1);
    t.match(said, {
      status_detail: /^image: it imports 'acme:foo\/bar@1\.0\.0', which wasmtime \S+ does not provide to commands$/,
    });
    t.same(cluster.statuses(1), ['CREATING', 'FAILED']);
    t.equal(await readFile(join(daemon.logs, `${service}.instance.1`), 'utf8'), '', 'nothing was started');
    await deploy(2, '(import "wasi:http/types@0.2.3" (instance (export "fields" (type (sub resource)))))');
    await cluster.status('COMPLETED', 2);
    t.same(await processes(daemon.folder), []);
    t.same(cluster.violations, []);
  });

  t.test('requests that never end are ended, and others are answered meanwhile', { skip }, async (t) => {
    await using engine = await startEngine(conf('timeout=3'));
    const { cluster, remove } = engine;
    const image = await cluster.offer('modes.wasm', fixture('modes-wasi-http'));
    await cluster.send('deploy', job(image, { vcpus: 1 }));
    await cluster.status('CREATED');
    const ended: string[] = [];
    const spinning = ['first', 'second', 'third'].map(async () => {
      ended.push((await fetchText('http://10.10.0.2/spin')).slice(0, 3));
    });
    t.equal(await fetchText('http://10.10.0.2/'), '200 done\n');
    await until(async () => ended.length === 3, 'the end of all three', AbortSignal.timeout(120_000));
    await Promise.all(spinning);
    t.same(ended, ['500', '500', '500']);
    t.equal(await fetchText('http://10.10.0.2/'), '200 done\n');
    t.same(cluster.statuses(0), ['CREATING', 'CREATED'], 'the service goes on');
    await remove(0);
  });

  t.test('the memory of all requests together is limited without control groups', { skip }, async (t) => {
    await using engine = await startEngine();
    const { cluster, daemon, remove } = engine;
    const image = await cluster.offer('modes.wasm', fixture('modes-wasi-http'));
    await cluster.send('deploy', job(image, { memory: 64 }));
    const { status_detail: detail } = await cluster.status('CREATED');
    t.match(detail, /no control groups for memory: the process may allocate \d+ MB in all/);
    const answers = await Promise.all(Array.from({ length: 8 }, () => fetchText('http://10.10.0.2/grow')));
    const statuses = answers.map((answer) => answer.slice(0, 3));
    t.ok(statuses.includes('200') && statuses.includes('500'), `some have 40 MB, not all eight: ${statuses}`);
    const [pid = ''] = await processes(daemon.folder);
    const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
    t.ok(peak < 150, `${peak} MB at most, where eight times 40 MB were asked for`);
    t.equal(await fetchText('http://10.10.0.2/grow'), '200 done\n', 'and afterwards there is room again');
    await remove(0);
  });
});
