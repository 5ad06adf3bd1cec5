import t from 'tap';
import { execOk, type Machine } from '../../../lab/machine/machine.ts';
import { until } from '../../../lab/system/wait.ts';
import { bootWorker, nightly } from './guest.ts';

const [manager, engine] = ['oakestra-netmanager.service', 'oakestra-nodeengine.service'];
const signal = AbortSignal.timeout(600_000);

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

const journal = ['journalctl', '--boot', '--no-pager'];

t.test('the units of both daemons under systemd itself', { skip: nightly, timeout: 600_000 }, async (t) => {
  await using board = await bootWorker(t, 'systemd', journal, signal);
  const { machine, cluster, deployment, ready, serving, instance, told } = board;
  const { control, property, main, killed } = units(machine);
  t.match(await control('is-system-running', '--wait'), { stdout: /^running/ }, 'nothing of the image has failed');
  for (const unit of [manager, engine])
    t.match(await control('status', unit), { code: 0, stdout: /active \(running\)/ });
  const began = await Promise.all([manager, engine].map((unit) => property(unit, 'ExecMainStartTimestampMonotonic')));
  t.ok(Number(began[0]) < Number(began[1]), 'NetManager is started before NodeEngine');
  await serving(t, 'deployed');
  const pid = await instance();

  await t.test('the kernel holds the instance to its limits', async (t) => {
    t.equal(await told('cat', `/proc/${pid}/cgroup`), `0::/oakestra/${deployment.task}`);
    t.equal(Number(await told('cat', `/sys/fs/cgroup/oakestra/${deployment.task}/memory.max`)), 100 * 1024 * 1024);
    const status = await told('cat', `/proc/${pid}/status`);
    t.match(status, /^CapEff:\s+0+$/m);
    t.notMatch(status, /^Uid:\s+0\b/m, 'it is not root');
  });

  await t.test('a killed daemon comes back, later each time, and nobody else notices', async (t) => {
    const unaffected = await main(engine);
    await killed(manager);
    t.equal(await main(engine), unaffected, 'a NetManager that fails does not take the engine with it');
    await ready();
    await serving(t, 'after NetManager was killed');
    const first = await property(engine, 'RestartUSecNext');
    await killed(engine);
    await killed(engine);
    t.not(await property(engine, 'RestartUSecNext'), first, 'the pause before a restart grows');
    t.equal(await property(engine, 'NRestarts'), '2');
    t.equal(await instance(), pid, 'the instance is still the same process');
    await serving(t, 'after NodeEngine was killed');
  });

  await t.test('a restart of both leaves the instance running', async (t) => {
    t.match(await control('restart', manager, engine), { code: 0 });
    t.equal(await instance(), pid);
    await serving(t, 'after a restart');
    await ready();
    await deployment.undeploy(signal);
    t.equal(await instance(), '');
  });

  t.match(await control('stop', engine, manager), { code: 0 });
  t.equal((await control('is-failed', engine, manager)).stdout, 'inactive\ninactive\n');
  t.match(await control('status', engine), { code: 3 });
  t.equal(await told('ls', '/run/netns'), '');
  t.same(cluster.violations, []);
});
