import { chmod, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { hasUsers, instanceUsers } from '../../../worker/node-engine/users.ts';
import { inSandbox } from '../net-manager/sandbox.ts';
import { fetchText, noWasmtime, wasmtime } from './daemon.ts';
import { hello, processes } from './jobs.ts';
import { startPair } from './pair.ts';

const idsOf = async (pid: string): Promise<string> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const lines = /^Uid:\t(?<user>\d+).*\nGid:\t(?<group>\d+)(?:.*\n)*?Groups:\t(?<groups>.*)$/m.exec(status)?.groups;
  return `${lines?.['user']} ${lines?.['group']} ${lines?.['groups']?.trim()}`;
};

const { first, count } = instanceUsers;
const lacking = async (): Promise<string | false> =>
  hasUsers(await readFile('/proc/self/uid_map', 'utf8'), first, count) ? noWasmtime : 'there are no users to give';

inSandbox(
  import.meta.url,
  async () => {
    t.test('every instance is a user of its own, without any group', { skip: await lacking() }, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'node-engine-users-'));
      t.teardown(() => rm(folder, { recursive: true }));
      await chmod(folder, 0o755);
      const readable = join(folder, 'wasmtime');
      await copyFile(wasmtime, readable);
      await using both = await startPair(['--wasmtime', readable]);
      const { engine, created, signal } = both;
      const deployments = [await created(0), await created(1)];
      for (const port of [8080, 8081]) t.equal(await fetchText(`http://127.0.0.1:${port}/`), hello);
      const ids = await Promise.all((await processes(engine.folder)).map(idsOf));
      t.same(
        ids.toSorted(),
        [2, 3].map((slot) => `${first + slot} ${first + slot} `),
      );
      for (const deployment of deployments) await deployment.undeploy(signal);
    });
  },
  '-nm',
);
