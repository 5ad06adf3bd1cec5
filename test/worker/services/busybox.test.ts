import t from 'tap';
import { until } from '../../../lab/system/wait.ts';
import { bootWorker, nightly } from './guest.ts';

const [manager, engine] = ['NetManager', 'NodeEngine'];
const scripts = { [manager]: '/etc/init.d/S98netmanager', [engine]: '/etc/init.d/S99nodeengine' } as const;
const signal = AbortSignal.timeout(600_000);
const logOf = (name: string) => `/var/log/oakestra/${name}.log`;

t.test('the start scripts of both daemons under busybox init', { skip: nightly, timeout: 600_000 }, async (t) => {
  await using board = await bootWorker(t, 'busybox', ['cat', logOf(manager), logOf(engine)], signal);
  const { machine, cluster, deployment, ready, serving, instance, told } = board;
  t.equal(await told('cat', '/proc/1/comm'), 'init');
  for (const script of Object.values(scripts)) t.match(await told(script, 'status'), /is running/);
  await serving(t, 'deployed');
  const pid = await instance();

  for (const name of [manager, engine]) {
    const daemon = await told('pgrep', '-P', await told('cat', `/run/oakestra/${name}.pid`));
    await told('kill', '-KILL', daemon);
    const ended = /supervise: .* ended with 137, starting it again in 1 s/;
    await until(async () => ended.test(await told('cat', logOf(name))) || undefined, signal);
    await ready();
    await serving(t, `after ${name} was killed`);
  }
  t.equal(await instance(), pid, 'the instance is still the same process');

  await told('/etc/init.d/rcK');
  for (const script of Object.values(scripts)) t.match(await machine.exec([script, 'status']), { code: 3 });
  await serving(t, 'after both were stopped');
  for (const script of Object.values(scripts)) await told(script, 'start');
  await ready();
  await deployment.undeploy(signal);
  t.equal(await instance(), '');
  t.equal(await told('ls', '/run/netns'), '');
  t.same(cluster.violations, []);
});
