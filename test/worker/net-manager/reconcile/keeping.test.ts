import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { startNetCluster } from '../../../support/cluster/net.ts';
import { killAll } from '../../../support/kill-all.ts';
import { createDaemon } from '../daemon.ts';
import { attachLab, footprint, get, inNamespace, run, serve, settled } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';

const service = 'app.appns.svc.svcns';
const task = (instance: number) => `${service}.instance.${instance}`;
const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };
/** Within 5 s on an idle board; a loaded computer with two cores takes longer for everything. */
const backWithinMs = 120_000;
const settings = async (keys: readonly string[]) =>
  await Promise.all(keys.map((key) => readFile(`/proc/sys/net/${key}`, 'utf8').catch(() => 'none')));

/** A board with two instances, of which the first serves on port 80. */
const board = async (netcfg: Record<string, unknown>) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startNetCluster());
  const daemon = stack.use(await createDaemon({ ClusterMqttPort: String(cluster.port), ...netcfg }));
  const registered = await daemon.post('/register', registration);
  if (registered.status !== 200) throw new Error(registered.text);
  const deploy = (instanceNumber: number, portMappings = '') =>
    daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings });
  const undeploy = (instanceNumber: number) => daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber });
  await deploy(0, '80');
  await deploy(1, '81:80');
  stack.use(await serve(task(0), 80, 'zero'));
  const moved = stack.move();
  return { daemon, deploy, undeploy, [Symbol.asyncDispose]: () => moved.disposeAsync() };
};

/** What was put back, by the log. */
const repairs = (log: string) => log.split('\n').filter((line) => /another program change/.test(line));

inSandbox(import.meta.url, () => {
  t.before(attachLab);
  for (const [WasmTopology, link, route6] of [
    ['bridged', 'goProxyBridge', 'fc00::100/120'],
    ['veth', 'veth00oak2', 'fc00::102'],
  ] as const)
    t.test(`what another program changes is back, ${WasmTopology}`, async (t) => {
      await using node = await board({ WasmTopology });
      const keys = [
        'ipv4/ip_forward',
        'ipv6/conf/all/forwarding',
        `ipv6/conf/${link}/disable_ipv6`,
        `ipv4/conf/${link}/route_localnet`,
      ];
      const state = async () => {
        const { links, addresses, routes, rules, namespaces } = await footprint();
        const inside = await inNamespace(task(0), 'sh', '-c', 'ip -o addr; ip route; ip -6 route');
        // What was made anew has another number and another place in a list.
        const lines = `${addresses}${routes}${rules}${inside}`.split('\n').map((line) => line.replace(/^\d+: /, ''));
        return { lines: lines.toSorted(), links: links.toSorted(), namespaces, settings: await settings(keys) };
      };
      const before = await settled(state);
      const harm: Readonly<Record<string, () => Promise<unknown>>> = {
        'route_localnet is 0': () => writeFile(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, '0'),
        'addresses are flushed': () => run('ip', 'addr', 'flush', 'dev', link),
        'IPv4 routes are flushed': () => run('ip', 'route', 'flush', 'dev', link),
        'the IPv6 route is removed': () => run('ip', '-6', 'route', 'del', route6, 'dev', link),
        'IPv6 is switched off': () => writeFile(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, '1'),
        'the link is down': () => run('ip', 'link', 'set', link, 'down'),
        'the MTU is another': () => run('ip', 'link', 'set', link, 'mtu', '1300'),
        'the link is deleted': () => run('ip', 'link', 'del', link),
        'the link of an instance has another name': async () => {
          await run('ip', 'link', 'set', 'veth00oak2', 'down');
          await run('ip', 'link', 'set', 'veth00oak2', 'name', 'other0');
        },
        'all rules are flushed': () => run('nft', 'flush', 'ruleset'),
        'the default route inside is gone': () => inNamespace(task(0), 'ip', 'route', 'del', 'default'),
        // What is the same with either topology is tried with one of them.
        ...(WasmTopology === 'bridged' && {
          'ip_forward is 0': () => writeFile('/proc/sys/net/ipv4/ip_forward', '0'),
          'IPv6 forwarding is 0': () => writeFile('/proc/sys/net/ipv6/conf/all/forwarding', '0'),
          'a rule of ours is removed': () => run('nft', 'flush', 'chain', 'inet', 'oakestra', 'postrouting'),
          'a mapping is removed': () => run('nft', 'delete', 'element', 'inet', 'oakestra', 'ports4', '{ tcp . 80 }'),
          'addresses inside are removed': async () => {
            await inNamespace(task(0), 'ip', '-4', 'addr', 'flush', 'dev', 'veth01oak2');
            await inNamespace(task(0), 'ip', 'addr', 'del', 'fc00::102/120', 'dev', 'veth01oak2');
          },
          'a port leaves the bridge': () => run('ip', 'link', 'set', 'veth00oak2', 'nomaster'),
        }),
      };
      for (const [what, act] of Object.entries(harm)) {
        const known = repairs(node.daemon.log()).length;
        await act();
        const whole = async () => isDeepStrictEqual(await state(), before) || undefined;
        await until(whole, deadline(backWithinMs, what)).catch(async () => t.same(await state(), before, what));
        const said = () => repairs(node.daemon.log()).length > known || undefined;
        await until(said, deadline(backWithinMs, `${what}: the log`));
      }
      for (const url of ['http://192.168.50.1:80/', 'http://[fd50::1]:80/'])
        t.equal(await get('lab', url), 'zero', url);
      t.notMatch(node.daemon.log(), /cannot put back/);
      for (const instance of [0, 1]) t.equal((await node.undeploy(instance)).status, 200);
      t.equal(await node.daemon.end('SIGTERM'), 0, node.daemon.log());
    });

  t.test('IPv6 switched off for the whole board is switched on for the instances again', async (t) => {
    await using node = await board({ WasmTopology: 'bridged' });
    await writeFile('/proc/sys/net/ipv6/conf/all/disable_ipv6', '1');
    t.teardown(() => writeFile('/proc/sys/net/ipv6/conf/all/disable_ipv6', '0'));
    const back = async () =>
      /fc00::101/.test(await run('ip', '-6', 'addr', 'show', 'dev', 'goProxyBridge')) || undefined;
    await until(back, deadline(backWithinMs, 'the addresses'));
    t.equal(
      (await readFile('/proc/sys/net/ipv6/conf/uplink/disable_ipv6', 'utf8')).trim(),
      '1',
      'but for nothing else',
    );
    for (const instance of [0, 1]) await node.undeploy(instance);
    await node.daemon.end('SIGTERM');
  });

  t.test('a repair is logged once, and a fight is said once and not fought hot', async (t) => {
    await using node = await board({});
    await writeFile('/proc/sys/net/ipv4/ip_forward', '0');
    const on = async () => (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() === '1' || undefined;
    await until(on, deadline(backWithinMs, 'ip_forward'));
    await until(() => repairs(node.daemon.log())[0], deadline(backWithinMs, 'the log'));
    t.match(repairs(node.daemon.log()), [/net\/ipv4\/ip_forward/]);
    const fought = async () => {
      await writeFile('/proc/sys/net/ipv4/ip_forward', '0');
      return /again and again/.test(repairs(node.daemon.log()).at(-1) ?? '') || undefined;
    };
    await until(fought, deadline(3 * backWithinMs, 'a line about a fight'));
    await run('sh', '-c', 'for i in $(seq 20); do echo 0 > /proc/sys/net/ipv4/ip_forward; sleep 0.1; done');
    await until(on, deadline(backWithinMs, 'ip_forward after the fight'));
    t.ok(repairs(node.daemon.log()).length <= 3, repairs(node.daemon.log()).join('\n'));
    for (const instance of [0, 1]) await node.undeploy(instance);
    await node.daemon.end('SIGTERM');
  });

  t.test('an instance without its namespace is told, and undeployed without an error', async (t) => {
    await using node = await board({});
    const { links: bare } = await footprint();
    await run('ip', 'netns', 'del', task(1));
    await until(
      () => /instance\.1 has lost its network namespace/.test(node.daemon.log()) || undefined,
      deadline(backWithinMs, 'the log'),
    );
    t.match((await node.deploy(2)).json()['warning'], /instance\.1 has lost its network namespace/);
    t.equal((await node.undeploy(1)).status, 200);
    t.notOk((await node.deploy(3)).json()['warning'], 'what is gone is no trouble');
    t.equal(await get(undefined, 'http://127.0.0.1:80/'), 'zero');
    for (const instance of [0, 2, 3]) t.equal((await node.undeploy(instance)).status, 200);
    t.same(
      (await footprint()).links,
      bare.filter((link) => !link.startsWith('veth00oak')),
    );
    await node.daemon.end('SIGTERM');
  });

  t.test('what cannot be put back is told in the log and in the next answer', async (t) => {
    await using node = await board({ WasmTopology: 'veth' });
    await run('ip', 'link', 'del', 'veth00oak2');
    // The name is taken before it can be used again, unless the repair was faster.
    await run('ip', 'link', 'add', 'veth00oak2', 'type', 'dummy').catch(() => undefined);
    const told = await until(
      () => /cannot put back|veth00oak2/.exec(node.daemon.log())?.[0],
      deadline(backWithinMs, 'the log'),
    );
    t.ok(told);
    for (const instance of [0, 1]) t.equal((await node.undeploy(instance)).status, 200);
    await node.daemon.end('SIGTERM');
  });

  t.test('the watch goes on when its programs are killed, and ends with the net manager', async (t) => {
    await using node = await board({});
    const monitors = async (): Promise<readonly string[]> => {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
      const own = await readlink('/proc/self/ns/net');
      const found = pids.map(async (pid) => {
        const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        const place = await readlink(`/proc/${pid}/ns/net`).catch(() => '');
        return place === own && argv.split('\0').includes('monitor') ? [pid] : [];
      });
      return (await Promise.all(found)).flat();
    };
    const others = (than: readonly string[]) => async () => {
      const found = await monitors();
      return found.length >= 2 && !found.some((pid) => than.includes(pid)) ? found : undefined;
    };
    const first = await until(others([]), deadline(backWithinMs, 'monitors'));
    t.ok(first.length >= 2, first.join());
    killAll(first);
    await until(others(first), deadline(backWithinMs, 'other monitors'));
    await run('ip', 'addr', 'flush', 'dev', 'goProxyBridge');
    await until(
      async () => /10\.10\.0\.1/.test(await run('ip', 'addr')) || undefined,
      deadline(backWithinMs, 'the address'),
    );
    await node.daemon.end('SIGKILL');
    await until(async () => (await monitors()).length === 0 || undefined, deadline(backWithinMs, 'no monitor left'));
  });
});
