import t, { type Test } from 'tap';
import { startCluster } from '../../../lab/cluster/cluster.ts';
import { buildDebianImage } from '../../../lab/image/debian/build.ts';
import { execOk, type Machine } from '../../../lab/machine/machine.ts';
import { virt } from '../../../lab/machine/qemu/definitions.ts';
import { startEmulated } from '../../../lab/machine/qemu/qemu.ts';
import { networkStands, putCompiled, workerFiles } from '../../../lab/scenario/worker.ts';
import { messageOf } from '../../../lab/system/errors.ts';
import { openRun } from '../../../lab/system/runs.ts';
import { until } from '../../../lab/system/wait.ts';
import { helloApp } from '../../../lab/wasm/app.ts';
import { privateCache } from '../../support/private.ts';

const [manager, engine] = ['oakestra-netmanager.service', 'oakestra-nodeengine.service'];
const service = 'units.systemd.test.board';
const task = `${service}.instance.0`;
const signal = AbortSignal.timeout(600_000);

const image = process.env['LAB_NIGHTLY']
  ? await buildDebianImage({ board: 'virt', init: 'systemd', signal }).catch(messageOf)
  : 'set LAB_NIGHTLY=1 to boot systemd';

/** A board whose first process is systemd, with a cluster on this computer that its worker is configured for. */
const boot = async (t: Test) => {
  if (typeof image === 'string') throw new Error(image);
  await using stack = new AsyncDisposableStack();
  stack.use(await privateCache());
  const run = stack.use(await openRun('systemd'));
  const machine = stack.use(await startEmulated({ definition: virt, image, run, signal }));
  stack.defer(async () => {
    if (!t.passing()) t.comment((await machine.exec(['journalctl', '--boot', '--no-pager'])).stdout.slice(-8000));
  });
  const subnet = { address: '10.10.0.0', addressv6: 'fc00::100' };
  const { bind, lab } = machine.uplink;
  const cluster = stack.use(await startCluster({ listen: bind, advertise: lab, subnet, signal }));
  const files = workerFiles(cluster, { topology: 'bridged', subnet: subnet.address });
  for (const [file, text] of Object.entries(files)) await machine.writeFile(file, text);
  const app = await helloApp();
  await putCompiled(machine, app, image.wasmtimeVersion, signal);
  const all = stack.move();
  return { machine, cluster, app, [Symbol.asyncDispose]: () => all.disposeAsync() };
};

/** What systemd says of a unit. */
const units = (machine: Machine) => {
  const control = (...words: readonly string[]) => machine.exec(['systemctl', ...words], { signal });
  const property = async (unit: string, name: string) =>
    (await execOk(machine, ['systemctl', 'show', '--value', `--property=${name}`, unit], { signal })).trim();
  const main = async (unit: string) => Number(await property(unit, 'MainPID'));
  return {
    control,
    property,
    main,
    /** Kills a unit's main process and waits for the next one. */
    killed: async (unit: string) => {
      const before = await main(unit);
      await execOk(machine, ['kill', '-KILL', String(before)], { signal });
      return until(async () => {
        const now = await main(unit);
        return now === 0 || now === before ? undefined : now;
      }, signal);
    },
  };
};

const skip = typeof image === 'string' && image;

t.test('the units of both daemons under systemd itself', { skip, timeout: 600_000 }, async (t) => {
  await using board = await boot(t);
  const { machine, cluster, app } = board;
  const { control, property, main, killed } = units(machine);
  t.match(await control('is-system-running', '--wait'), { stdout: /^running/ }, 'nothing of the image has failed');

  t.match(await control('enable', manager, engine), { code: 0 });
  t.match(await control('start', 'multi-user.target'), { code: 0 }, 'as at the next boot');
  for (const unit of [manager, engine])
    t.match(await control('status', unit), { code: 0, stdout: /active \(running\)/ });
  const began = await Promise.all([manager, engine].map((unit) => property(unit, 'ExecMainStartTimestampMonotonic')));
  t.ok(Number(began[0]) < Number(began[1]), 'NetManager is started before NodeEngine');
  /** Resolves when a cluster's orders would reach the engine, and find a network. */
  const ready = async () => {
    await cluster.networkReady(signal);
    await networkStands(machine, cluster, signal);
  };
  await ready();

  const url = cluster.publishArtifact(app.name, app.bytes);
  const deployment = cluster.deploy({ service, instance: 0, image: url, port: '8080:80', memory: 100 });
  await deployment.status('CREATED', signal);
  const { host, port } = await machine.forward(8080, signal);
  const serving = async (when: string) =>
    t.equal(await (await fetch(`http://${host}:${port}/`, { signal })).text(), app.body, when);
  const instance = async () => (await machine.exec(['pgrep', '-x', 'wasmtime'], { signal })).stdout.trim();
  const pid = await instance();
  await serving('deployed');

  await t.test('the kernel holds the instance to its limits', async (t) => {
    const group = await execOk(machine, ['cat', `/proc/${pid}/cgroup`], { signal });
    t.equal(group.trim(), `0::/oakestra/${task}`);
    const limit = await execOk(machine, ['cat', `/sys/fs/cgroup/oakestra/${task}/memory.max`], { signal });
    t.equal(Number(limit), 100 * 1024 * 1024);
    const status = await execOk(machine, ['cat', `/proc/${pid}/status`], { signal });
    t.match(status, /^CapEff:\s+0+$/m);
    t.notMatch(status, /^Uid:\s+0\b/m, 'it is not root');
  });

  await t.test('a killed daemon comes back, later each time, and nobody else notices', async (t) => {
    const unaffected = await main(engine);
    await killed(manager);
    t.equal(await main(engine), unaffected, 'a NetManager that fails does not take the engine with it');
    await ready();
    await serving('after NetManager was killed');
    const first = await property(engine, 'RestartUSecNext');
    await killed(engine);
    await killed(engine);
    t.not(await property(engine, 'RestartUSecNext'), first, 'the pause before a restart grows');
    t.equal(await property(engine, 'NRestarts'), '2');
    await until(async () => (await control('is-active', engine)).code === 0 || undefined, signal);
    t.equal(await instance(), pid, 'the instance is still the same process');
    await serving('after NodeEngine was killed');
  });

  await t.test('a restart of both leaves the instance running', async (t) => {
    t.match(await control('restart', manager, engine), { code: 0 });
    t.equal(await instance(), pid);
    await serving('after a restart');
    await ready();
    await deployment.undeploy(signal);
    t.equal(await instance(), '');
  });

  t.match(await control('stop', engine, manager), { code: 0 });
  t.equal((await control('is-failed', engine, manager)).stdout, 'inactive\ninactive\n');
  t.match(await control('status', engine), { code: 3 });
  t.equal((await machine.exec(['ls', '/run/netns'], { signal })).stdout, '');
  t.same(cluster.violations, []);
});
