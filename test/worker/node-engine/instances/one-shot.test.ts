import { readdir } from 'node:fs/promises';
import t from 'tap';
import { startCluster } from '../../../support/cluster/engine.ts';
import { killAll } from '../../../support/kill-all.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { createDaemon, noWasmtime } from '../support/daemon.ts';
import { startEngine } from '../support/engine.ts';
import { job, processes } from '../support/jobs.ts';
import { startNetManager } from '../support/net-manager.ts';
import { type Program, writeProgram } from '../support/programs.ts';
import { until } from '../support/until.ts';

/** A worker whose one_shot instance runs a program that has stopped before its end, and goes on when told to. */
const napping = async (program: Program) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const daemon = stack.use(await createDaemon(cluster.port));
  stack.use(await startNetManager(daemon.socket));
  daemon.start();
  await cluster.subscribed();
  const image = `file://${await writeProgram(daemon.folder, program)}`;
  await cluster.send('deploy', job(image, { one_shot: true, port: '' }));
  await cluster.status('CREATED');
  const pid = Number((await processes(daemon.folder))[0]);
  process.kill(pid, 'SIGSTOP');
  const all = stack.move();
  return {
    cluster,
    daemon,
    goOn: () => process.kill(pid, 'SIGCONT'),
    ended: () =>
      until(
        async () => (await processes(daemon.folder)).length === 0,
        'end of the program',
        AbortSignal.timeout(120_000),
      ),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
};

inSandbox(import.meta.url, () => {
  for (const [program, status, detail] of [
    ['naps', 'COMPLETED', 'wasmtime exited with 0'],
    ['stumbles', 'DEAD', 'wasmtime exited with 134'],
  ] as const) {
    t.test(`a one_shot that was taken over is ${status} as it ends: ${program}`, { skip: noWasmtime }, async (t) => {
      await using worker = await napping(program);
      const { cluster, daemon, goOn } = worker;
      await daemon.end('SIGKILL');
      daemon.start();
      await cluster.reported(0);
      goOn();
      t.match(await cluster.status(status), { status_detail: detail });
      t.same(await readdir(daemon.at('state/instances')), []);
      t.same(cluster.violations, []);
    });

    t.test(`a one_shot that ended without its engine is ${status}: ${program}`, { skip: noWasmtime }, async (t) => {
      await using worker = await napping(program);
      const { cluster, daemon, goOn, ended } = worker;
      await daemon.end('SIGKILL');
      goOn();
      await ended();
      daemon.start();
      t.match(await cluster.status(status), { status_detail: `${detail} while the engine was not running` });
      t.same(await readdir(daemon.at('state/instances')), []);
      t.same(cluster.violations, []);
    });
  }

  t.test('a one_shot that is killed is DEAD', { skip: noWasmtime }, async (t) => {
    await using worker = await napping('naps');
    const { cluster, daemon } = worker;
    killAll(await processes(daemon.folder));
    t.match(await cluster.status('DEAD'), { status_detail: 'wasmtime was ended by SIGKILL' });
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'DEAD']);
  });

  for (const more of [{ cmd: ['x'.repeat(140_000)] }, { environment: [`A=${'x'.repeat(140_000)}`] }])
    t.test(
      `a job is told that its ${Object.keys(more).join()} is too long for a program`,
      { skip: noWasmtime },
      async (t) => {
        await using worker = await startEngine();
        const { cluster, daemon, run } = worker;
        await run(0, 'echo', more);
        const { status_detail: detail } = await cluster.status('FAILED');
        t.match(detail, /has 1400\d\d bytes, all together \d+; a program takes 131071 for one.*: shorten them/);
        t.notMatch(detail, /E2BIG/);
        t.same(await processes(daemon.folder), []);
      },
    );
});
