import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { startCluster } from '../../../support/cluster/engine.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { createDaemon, noWasmtime } from '../support/daemon.ts';
import { service } from '../support/jobs.ts';
import { startNetManager } from '../support/net-manager.ts';
import { until } from '../support/until.ts';

const task = (number: number): string => `${service}.instance.${number}`;
const digest = 'a'.repeat(64);
const day = 86_400;

/** What engines that were killed, and instances that are long gone, leave in the folders of a worker. */
const left = [
  'cache/77-1.part',
  `cache/${digest}.wasm`,
  `precompiled/${digest}-1.2.3-x86_64-0123456789ab-epoch.cwasm`,
  `precompiled/${digest}-1.2.3-x86_64-0123456789ab-epoch.cwasm.77.part`,
  'state/77-1.part',
  'state/instances/half.json.new',
  'state/reports/half.json.new',
  `state/instances/${task(1)}.exit`,
  `logs/${task(1)}`,
  `logs/${task(1)}.1`,
];
const others = ['cache/readme', 'precompiled/readme', 'state/readme', 'logs/readme'];

inSandbox(import.meta.url, () => {
  t.test(
    'an engine removes what killed ones and instances have left, and nothing else',
    { skip: noWasmtime },
    async (t) => {
      await using cluster = await startCluster();
      await using daemon = await createDaemon(cluster.port);
      await using _network = await startNetManager(daemon.socket);
      daemon.start();
      await cluster.subscribed();
      await daemon.end('SIGKILL');
      for (const name of [...left, ...others]) {
        await mkdir(dirname(daemon.at(name)), { recursive: true });
        await writeFile(daemon.at(name), 'x');
        const old = Date.now() / 1000 - 31 * day;
        await utimes(daemon.at(name), old, old);
      }
      const there = async (names: readonly string[]) => {
        const found = await Promise.all(
          ['cache', 'precompiled', 'state', 'state/instances', 'state/reports', 'logs'].map(async (folder) =>
            (await readdir(daemon.at(folder))).map((name) => join(folder, name)),
          ),
        );
        return names.filter((name) => found.flat().includes(name));
      };
      t.same(await there(left), left);
      daemon.start();
      const isTidy = async () => (await there(left)).length === 0;
      await until(isTidy, 'end of what was left', AbortSignal.timeout(30_000)).catch(async () =>
        t.same(await there(left), []),
      );
      t.same(await there(others), others);
    },
  );
});
