import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { installFilter, keepFilter } from '../../../../worker/node-engine/process/filter.ts';
import { systemCallFilter } from '../../../../worker/node-engine/process/seccomp.ts';
import { run } from '../../../../worker/system/run.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { fixture, noWasmtime, wasmtime } from '../support/daemon.ts';
import { startEngine } from '../support/engine.ts';
import { job, processes } from '../support/jobs.ts';

const setsFilters = (await run(['setpriv', '--help'])).includes('--seccomp-filter');

/** In the place of a setpriv that cannot set filters: it hands on in a variable which one it was to set. */
const standIn = (real: string) => `#!/bin/sh
for word; do
  shift
  case $word in
    --seccomp-filter=*) [ -s "\${word#*=}" ] && export FILTERED="\${word#*=}" || exit 1 ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec ${real} "$@"
`;

const provideSetpriv = async (t: Test): Promise<void> => {
  if (setsFilters) return;
  const real = execFileSync('sh', ['-c', 'command -v setpriv'], { encoding: 'utf8' }).trim();
  const folder = t.testdir({});
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'setpriv'), standIn(real), { mode: 0o755 });
  const { PATH: path = '' } = process.env;
  process.env['PATH'] = `${folder}${delimiter}${path}`;
  t.teardown(() => {
    process.env['PATH'] = path;
  });
};

inSandbox(import.meta.url, () => {
  t.test(
    'the filter is there although the disk is read-only when the engine begins',
    { skip: noWasmtime },
    async (t) => {
      await provideSetpriv(t);
      const [disk, spare] = ['/run/disk', '/run/spare'];
      await mkdir(disk);
      execFileSync('mount', ['-t', 'tmpfs', 'disk', disk]);
      t.teardown(() => execFileSync('umount', [disk]));
      const fail = (text: string) => void t.fail(text);
      const log = { debug: fail, info: fail, warn: fail, error: fail };
      const install = () => installFilter(disk, spare, { path: wasmtime, user: undefined }, log);
      execFileSync('mount', ['-o', 'remount,ro', 'disk', disk]);
      const [inMemory, onDisk] = [join(spare, 'seccomp.bpf'), join(disk, 'seccomp.bpf')];
      t.equal(await install(), inMemory);
      t.same(await readFile(inMemory), systemCallFilter(process.arch));
      execFileSync('mount', ['-o', 'remount,rw', 'disk', disk]);
      t.equal(await install(), onDisk);
      execFileSync('mount', ['-o', 'remount,ro', 'disk', disk]);
      t.equal(await install(), onDisk, 'what an engine before has written is used');
      await keepFilter(onDisk);
    },
  );

  t.test('every instance runs under the filter of system calls', { skip: noWasmtime }, async (t) => {
    await provideSetpriv(t);
    await using worker = await startEngine();
    const { cluster, daemon, remove } = worker;
    const filter = daemon.at('state/seccomp.bpf');
    const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
    for (const instance of [0, 1]) {
      await cluster.send('deploy', job(image, { instance_number: instance }));
      await cluster.status('CREATED', instance);
      t.same(await readFile(filter), systemCallFilter(process.arch));
      const [pid = ''] = await processes(daemon.folder);
      if (setsFilters) t.match(await readFile(`/proc/${pid}/status`, 'utf8'), /^Seccomp:\t2$/m);
      else t.ok((await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').includes(`FILTERED=${filter}`));
      await remove(instance);
      // whoever tidies up there does not free the next one
      await rm(filter);
    }
  });
});
