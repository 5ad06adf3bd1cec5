import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { fetchText, noWasmtime } from '../support/daemon.ts';
import { hello, job, processes, service } from '../support/jobs.ts';
import { onSmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

const skip = noWasmtime;
const task = `${service}.instance.0`;
const patience = () => AbortSignal.timeout(120_000);

inSandbox(import.meta.url, () => {
  for (const [what, full, free] of [
    [
      'full',
      ({ fill }: Awaited<ReturnType<typeof onSmallDisk>>) => fill(),
      (w: { empty: () => Promise<void> }) => w.empty(),
    ],
    [
      'read-only',
      ({ mount }: Awaited<ReturnType<typeof onSmallDisk>>) => mount('remount,ro'),
      ({ mount }: { mount: (options: string) => unknown }) => mount('remount,rw'),
    ],
  ] as const)
    t.test(`a state folder on a ${what} disk stops nothing that runs and begins nothing new`, { skip }, async (t) => {
      await using worker = await onSmallDisk();
      const { cluster, daemon, image } = worker;
      full(worker);
      await cluster.send('deploy', job(image, { instance_number: 1 }));
      t.match(await cluster.status('FAILED', 1), { status_detail: /state folder .* cannot be written/ });
      await cluster.reported(0);
      t.equal(await fetchText('http://10.10.0.2/'), hello);
      t.match(daemon.log(), /ERROR .*(ENOSPC|EROFS).*new ones are refused/);

      const [pid = ''] = await processes(daemon.folder);
      process.kill(Number(pid), 'SIGKILL');
      await cluster.status('DEAD');
      const isReported = async () =>
        execFileSync('find', [
          '/run/oakestra/node-engine',
          '-ignore_readdir_race',
          '-path',
          '*/reports/*.json',
          '-size',
          '+5c',
        ]).length === 0;
      await until(isReported, 'acknowledgement', patience());
      for (const _ of [1, 2]) {
        await daemon.end('SIGKILL');
        const before = cluster.messages.length;
        daemon.start();
        await cluster.until(
          () => cluster.messages.slice(before).find(({ topic }) => topic.endsWith('information')),
          'report',
        );
      }
      await free(worker);
      await until(
        async () => {
          await cluster.send('deploy', job(image, { instance_number: 2 }));
          return cluster.statuses(2).includes('CREATED');
        },
        'recovery',
        patience(),
      );
      t.same(cluster.statuses(), ['CREATING', 'CREATED', 'DEAD'], 'nothing is reported again at each start');
      await cluster.send('delete', { job_name: service, instance_number: 2 });
      await cluster.status('UNDEPLOYED', 2);
      await until(async () => (await readdir(join(worker.state, 'instances'))).length === 0, 'clean state', patience());
      t.same(await readdir('/run/netns'), []);
      t.same(cluster.violations, []);
    });

  t.test('an order that cannot be a file name leaves no file, nor removes one', { skip }, async (t) => {
    await using worker = await onSmallDisk();
    const { cluster, daemon, state } = worker;
    await writeFile(join(daemon.folder, 'precious.instance.0.json'), '{}');
    const job_name = '../../precious';
    await cluster.send('delete', { job_name, instance_number: 0 });
    await cluster.until(() => cluster.messages.find(({ body }) => body['sname'] === job_name), 'answer');
    await cluster.send('deploy', job('file:///x', { job_name }));
    await cluster.until(
      () => cluster.messages.find(({ body }) => body['sname'] === job_name && body['status'] === 'FAILED'),
      'refusal',
    );
    t.equal(await readFile(join(daemon.folder, 'precious.instance.0.json'), 'utf8'), '{}');
    t.same(await readdir(join(state, 'instances')), [`${task}.json`]);
  });
});
