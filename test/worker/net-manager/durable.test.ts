import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { openJournal } from '../../../worker/net-manager/journal.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon } from './daemon.ts';
import { run } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };
const patience = (what: string) => deadline(120_000, what);

/** A net manager whose state folder is a disk of its own, with two instances. */
const onSmallDisk = async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startNetCluster());
  const daemon = stack.use(await createDaemon({ ClusterMqttPort: String(cluster.port) }));
  const state = join(daemon.folder, 'state');
  await daemon.end('SIGTERM');
  const mount = (options: string) => run('mount', '-t', 'tmpfs', '-o', options, 'state', state);
  await mount('size=64k,mode=700');
  stack.defer(async () => {
    await daemon.end('SIGKILL');
    await run('umount', '-l', state);
  });
  await daemon.start();
  await daemon.post('/register', registration);
  const ask = (path: string) => (instanceNumber: number) =>
    daemon.post(path, { serviceName: service, instanceNumber, portMappings: `${8000 + instanceNumber}:80` });
  const worker = { daemon, state, mount, deploy: ask('/wasm/deploy'), undeploy: ask('/wasm/undeploy') };
  for (const instance of [0, 1]) {
    const { status, text } = await worker.deploy(instance);
    if (status !== 200) throw new Error(text);
  }
  const all = stack.move();
  return { ...worker, [Symbol.asyncDispose]: () => all.disposeAsync() };
};
type Worker = Awaited<ReturnType<typeof onSmallDisk>>;

inSandbox(import.meta.url, () => {
  for (const [what, spoil, mend] of [
    [
      'full',
      ({ state }: Worker) => run('sh', '-c', 'dd if=/dev/zero of="$0"/filler bs=4k 2>/dev/null || true', state),
      ({ state }: Worker) => rm(join(state, 'filler')),
    ],
    ['read-only', ({ mount }: Worker) => mount('remount,ro'), ({ mount }: Worker) => mount('remount,rw')],
  ] as const)
    t.test(`a state folder on a ${what} disk stops nothing that runs and begins nothing new`, async (t) => {
      await using worker = await onSmallDisk();
      const { daemon, state, deploy, undeploy } = worker;
      await spoil(worker);
      const refused = await deploy(2);
      t.equal(refused.status, 500);
      t.match(refused.json()['message'], /no new instance is set up while the state folder .* cannot be written/);
      t.match(await deploy(2), { status: 500 });
      t.same((await readdir('/run/netns')).toSorted(), [`${service}.instance.0`, `${service}.instance.1`]);
      const complaints = () => daemon.log().match(/ERROR .*(ENOSPC|EROFS).*new ones are refused/g)?.length;
      t.equal(complaints(), 1, 'said once');
      t.match(await undeploy(0), { status: 200 }, 'what is there can be removed');

      await daemon.end('SIGKILL');
      await daemon.start();
      await spoil(worker);
      t.same(await readdir('/run/netns'), [`${service}.instance.1`]);
      t.match(await undeploy(0), { status: 404 }, 'what was removed is not known again');
      t.match(await daemon.post('/register', registration), { status: 200 });
      t.match(await deploy(3), { status: 500 });

      await mend(worker);
      await until(() => /can be written again/.test(daemon.log()) || undefined, patience('the recovery'));
      t.match(await deploy(2), { status: 200 });
      t.match(await readFile(join(state, 'journal.json'), 'utf8'), /"instance":2/);
      await daemon.end('SIGKILL');
      await daemon.start();
      for (const instance of [1, 2]) t.match(await undeploy(instance), { status: 200 });
      t.same(await readdir('/run/netns'), []);
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
      t.same((await readdir(state)).toSorted(), ['holder', 'journal.json']);
      const [spare = ''] = await readdir('/run/oakestra/net-manager');
      t.same(await readdir(join('/run/oakestra/net-manager', spare)), [], 'nothing is left in memory');
      await rm(join('/run/oakestra/net-manager', spare), { recursive: true });
    });
});

t.test('of two journals the newer one counts', async (t) => {
  const folder = t.testdir({ home: {}, spare: {} });
  const log = { debug: () => undefined, info: () => undefined, warn: t.fail, error: t.fail };
  const open = () => openJournal(join(folder, 'home'), log, join(folder, 'spare'));
  const journal = await open();
  await journal.update((contents) => ({ ...contents, boot: 'one' }));
  const old = await readFile(join(folder, 'home', 'journal.json'), 'utf8');
  t.ok(await journal.update((contents) => ({ ...contents, boot: 'two' })));
  await writeFile(join(folder, 'spare', 'journal.json'), old);
  t.match((await open()).contents, { boot: 'two' });
  await writeFile(join(folder, 'spare', 'journal.json'), await readFile(join(folder, 'home', 'journal.json')));
  await writeFile(join(folder, 'home', 'journal.json'), old);
  const again = await open();
  t.match(again.contents, { boot: 'two' });
  await again.update((contents) => contents);
  t.same(await readdir(join(folder, 'spare')), []);
});
