import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeName } from '../../../../worker/contract/native.ts';
import { NativeCode } from '../../../../worker/node-engine/native/native-code.ts';
import { architecture } from '../../../../worker/node-engine/native/processor.ts';
import { wasmtimeRuntime } from '../../../../worker/node-engine/runtime/wasmtime/runtime.ts';
import { compilerUsers, hasUsers, instanceUsers } from '../../../../worker/system/users.ts';
import { startCluster } from '../../../support/cluster/engine.ts';
import { removeFolder } from '../../../support/files/remove.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { createDaemon, fetchText, noWasmtime, wasmtime } from '../support/daemon.ts';
import { hello, job, processes, service } from '../support/jobs.ts';
import { startNetManager } from '../support/net-manager.ts';
import { startPair } from '../support/pair.ts';
import { writeProgram } from '../support/programs.ts';

const idsOf = async (pid: string): Promise<string> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const lines = /^Uid:\t(?<user>\d+).*\nGid:\t(?<group>\d+)(?:.*\n)*?Groups:\t(?<groups>.*)$/m.exec(status)?.groups;
  return `${lines?.['user']} ${lines?.['group']} ${lines?.['groups']?.trim()}`;
};

const { first, count } = instanceUsers;
const lacking = async (): Promise<string | false> =>
  hasUsers(await readFile('/proc/self/uid_map', 'utf8'), first, count) ? noWasmtime : 'there are no users to give';

/** A folder that every user may enter, with a wasmtime in it. */
const openFolder = async (t: Test) => {
  const folder = await mkdtemp(join(tmpdir(), 'node-engine-users-'));
  t.teardown(() => removeFolder(folder));
  await chmod(folder, 0o755);
  const readable = join(folder, 'wasmtime');
  await copyFile(wasmtime, readable);
  return { folder, readable };
};

inSandbox(
  import.meta.url,
  async () => {
    t.test('every instance is a user of its own, without any group', { skip: await lacking() }, async (t) => {
      const { readable } = await openFolder(t);
      await using both = await startPair(['--wasmtime', readable]);
      const { engine, created, signal } = both;
      const deployments = [await created(0), await created(1)];
      for (const port of [8080, 8081]) t.equal(await fetchText(`http://127.0.0.1:${port}/`), hello);
      const pids = await processes(engine.folder);
      for (const pid of pids) t.match(await readFile(`/proc/${pid}/limits`, 'utf8'), /^Max processes +128 +128 /m);
      const ids = await Promise.all(pids.map(idsOf));
      t.same(
        ids.toSorted(),
        [2, 3].map((slot) => `${first + slot} ${first + slot} `),
      );
      for (const deployment of deployments) await deployment.undeploy(signal);
    });

    t.test('on a new node instances can read what is compiled ahead for them', { skip: await lacking() }, async (t) => {
      const { folder, readable: real } = await openFolder(t);
      const [readable, calls] = [join(folder, 'recording'), join(folder, 'calls')];
      const script = `#!/bin/sh\n[ "$1" != compile ] || echo "$(id -u) $(id -g) $(id -G)" >>${calls}\nexec ${real} "$@"\n`;
      await writeFile(readable, script, { mode: 0o755 });
      await writeFile(calls, '');
      await chmod(calls, 0o666);
      const state = join(folder, 'lib/node-engine');
      const options = ['--wasmtime', readable, '--state', state, '--precompiled', join(folder, 'lib/precompiled')];
      await using cluster = await startCluster();
      await using daemon = await createDaemon(cluster.port, {}, options);
      await using _network = await startNetManager(daemon.socket);
      daemon.start();
      await cluster.subscribed();
      const image = `file://${await writeProgram(daemon.folder, 'echo')}`;
      await cluster.send('deploy', job(image, { one_shot: true, port: '', cmd: ['it runs'] }));
      await cluster.status('COMPLETED');
      const said = await readFile(join(daemon.logs, `${service}.instance.0`), 'utf8');
      t.match(said, /\.cwasm\0it runs\0/);
      const compiler = compilerUsers.first;
      t.equal(await readFile(calls, 'utf8'), `${compiler} ${compiler} ${compiler}\n`, 'the compiler is no instance');
      t.equal((await stat(state)).mode & 0o777, 0o700, 'the state itself is for nobody else');
    });

    t.test('native code that belongs to another user is not run', { skip: await lacking() }, async (t) => {
      const { folder: parent, readable } = await openFolder(t);
      const [folder, digest] = [join(parent, 'precompiled'), '0'.repeat(64)];
      await mkdir(folder, { mode: 0o755 });
      const file = join(folder, nativeName(digest, '1', architecture));
      await writeFile(file, 'code', { mode: 0o644 });
      const runtime = wasmtimeRuntime({ path: readable, version: '1', user: undefined, separate: false });
      const said: string[] = [];
      const log = { debug: t.fail, info: t.fail, warn: (text: string) => said.push(text), error: t.fail };
      const native = new NativeCode({ folder, scratch: parent, runtime, compiles: false, log });
      const info = { kind: 'component', exports: [], imports: [], needs: [] } as const;
      const program = () => native.program({ file: '/x.wasm', digest, info }, AbortSignal.timeout(120_000));
      t.same(await program(), { file, precompiled: true });
      for (const path of [file, folder]) {
        await chown(path, first, first);
        t.equal(await program(), undefined, path);
        await chown(path, 0, 0);
      }
      t.match(said, [/must belong to root/, /must belong to root/]);
      t.same(await program(), { file, precompiled: true });
    });
  },
  '-nm',
);
