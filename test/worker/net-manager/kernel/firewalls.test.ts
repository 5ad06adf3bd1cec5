import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { startCluster } from '../cluster.ts';
import { createDaemon } from '../daemon.ts';
import { attachLab, footprint, get, run, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';

const service = 'app.appns.svc.svcns';
const task = `${service}.instance.0`;
const backWithinMs = 20_000;

type Variant = 'nft' | 'legacy';

/** What Docker makes: a policy, chains of its own, and one that it leaves to others. */
const docker = [
  '-N DOCKER',
  '-N DOCKER-ISOLATION-STAGE-1',
  '-N DOCKER-ISOLATION-STAGE-2',
  '-N DOCKER-USER',
  '-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2',
  '-A DOCKER-ISOLATION-STAGE-1 -j RETURN',
  '-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP',
  '-A DOCKER-ISOLATION-STAGE-2 -j RETURN',
  '-A DOCKER-USER -j RETURN',
  '-A FORWARD -j DOCKER-USER',
  '-A FORWARD -j DOCKER-ISOLATION-STAGE-1',
  '-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-A FORWARD -o docker0 -j DOCKER',
  '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT',
  '-A FORWARD -i docker0 -o docker0 -j ACCEPT',
  '-P FORWARD DROP',
];

/** What ufw makes, as far as forwarded packets pass it. */
const ufw = [
  '-N ufw-before-forward',
  '-N ufw-reject-forward',
  '-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-A FORWARD -j ufw-before-forward',
  '-A FORWARD -j ufw-reject-forward',
  '-P FORWARD DROP',
];

/** What RHEL's iptables service made: no policy, but a rule at the end. */
const closing = ['-A FORWARD -j REJECT'];

const programs = (variant: Variant) => [`iptables-${variant}`, `ip6tables-${variant}`];

const write = async (variant: Variant, rules: readonly string[]): Promise<void> => {
  for (const program of programs(variant)) for (const rule of rules) await run(program, '-w', ...rule.split(' '));
};

const listed = async (variant: Variant): Promise<string> =>
  (await Promise.all(programs(variant).map((program) => run(program, '-S')))).join('');

const clear = async (variant: Variant): Promise<void> => write(variant, ['-P FORWARD ACCEPT', '-F', '-X']);

/** Why a variant of iptables can't be tried here. */
const without = (variant: Variant): string | false => {
  const tried = programs(variant).map((program) => spawnSync(program, ['-S'], { encoding: 'utf8' }));
  const failed = tried.find(({ status }) => status !== 0);
  return failed ? `iptables-${variant} does not work here: ${failed.error?.message ?? failed.stderr.trim()}` : false;
};

const board = async (netcfg: Record<string, unknown>, environment: NodeJS.ProcessEnv = {}) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster());
  const daemon = stack.use(await createDaemon({ ClusterMqttPort: String(cluster.port), ...netcfg }, environment));
  const registered = await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
  if (registered.status !== 200) throw new Error(registered.text);
  const deploy = (instanceNumber: number, portMappings = '') =>
    daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings });
  const undeploy = (instanceNumber: number) => daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber });
  const moved = stack.move();
  return { daemon, deploy, undeploy, [Symbol.asyncDispose]: () => moved.disposeAsync() };
};

inSandbox(import.meta.url, () => {
  t.before(attachLab);

  for (const [what, variant, rules, WasmTopology] of [
    ['Docker', 'nft', docker, 'bridged'],
    ['Docker', 'nft', docker, 'veth'],
    ['ufw', 'nft', ufw, 'bridged'],
    ['a closing reject', 'nft', closing, 'veth'],
    ['Docker', 'legacy', docker, 'bridged'],
  ] as const)
    t.test(
      `traffic flows beside ${what}, iptables-${variant}, ${WasmTopology}`,
      { skip: without(variant) },
      async (t) => {
        await write(variant, rules);
        const bare = await listed(variant);
        await using node = await board({ WasmTopology });
        t.equal(await listed(variant), bare, 'without instances nothing of ours is there');
        t.notOk((await node.deploy(0, '80')).json()['warning']);
        await node.deploy(1);
        using _instance = await serve(task, 80, 'instance');
        using _lab = await serve('lab', 9000, 'lab');
        const flows = async (when: string) => {
          for (const host of ['192.168.50.1', '[fd50::1]'])
            t.equal(await get('lab', `http://${host}:80/`), 'instance', `a mapped port, ${when}`);
          for (const host of ['192.168.50.2', '[fd50::2]'])
            t.equal(await get(task, `http://${host}:9000/`), 'lab', `another machine, ${when}`);
        };
        await flows('at first');
        const whole = await listed(variant);
        await write(variant, [what === 'Docker' ? '-F DOCKER-USER' : '-F FORWARD']);
        // What was flushed of the other program's is its own matter.
        const marked = (text: string) => text.split('\n').filter((line) => line.includes('oakestra'));
        await write(
          variant,
          what === 'Docker' ? ['-A DOCKER-USER -j RETURN'] : rules.filter((rule) => /^-A FORWARD/.test(rule)),
        );
        const back = async () =>
          marked(await listed(variant))
            .toSorted()
            .join() === marked(whole).toSorted().join() || undefined;
        await until(back, deadline(backWithinMs, 'the accepts'));
        await flows('after a flush');
        await node.undeploy(1);
        t.ok(marked(await listed(variant)).length > 0, 'they stay for the instance that is left');
        await node.undeploy(0);
        t.equal(await listed(variant), bare, 'removed with the last instance');
        t.equal(await node.daemon.end('SIGTERM'), 0, node.daemon.log());
        t.equal(await listed(variant), bare);
        await clear(variant);
      },
    );

  for (const [what, rules, said, WasmTopology] of [
    [
      'a policy',
      'chain guard { type filter hook forward priority 10; policy drop; };',
      /inet site guard \(policy drop\)/,
      'bridged',
    ],
    [
      'a closing rule in a chain that is called',
      'chain last { counter reject with icmpx admin-prohibited; }; ' +
        'chain guard { type filter hook forward priority 0; ct state established accept; jump last; };',
      /inet site last \(rule: counter.* reject/,
      'veth',
    ],
  ] as const)
    t.test(`${what} of a table written for nft is tried, named and left alone, ${WasmTopology}`, async (t) => {
      await using node = await board({ WasmTopology });
      t.notOk((await node.deploy(0, '80')).json()['warning']);
      await run('nft', `table inet site { ${rules} }`);
      const before = await run('nft', '-s', 'list', 'table', 'inet', 'site');
      const { links, namespaces } = await footprint();
      const { warning } = (await node.deploy(0, '80')).json();
      for (const part of [
        said,
        /to instances by IPv4/,
        /to instances by IPv6/,
        /to uplink by IPv4/,
        /to uplink by IPv6/,
      ])
        t.match(warning, part);
      t.match(node.daemon.log(), said);
      t.equal(await run('nft', '-s', 'list', 'table', 'inet', 'site'), before);
      const after = await footprint();
      t.same({ links: after.links, namespaces: after.namespaces }, { links, namespaces }, 'the trial leaves nothing');
      t.notMatch(after.rules, /probe/);
      await run('nft', 'insert rule inet site guard ip saddr 10.10.0.0/16 accept');
      const partly = String((await node.deploy(0, '80')).json()['warning']);
      t.match(partly, /to uplink by IPv6/);
      t.notMatch(partly, /to uplink by IPv4/, 'what is accepted there is no longer told');
      await run('nft', 'delete', 'table', 'inet', 'site');
      t.notOk((await node.deploy(0, '80')).json()['warning']);
      await node.undeploy(0);
      t.equal(await node.daemon.end('SIGTERM'), 0, node.daemon.log());
    });

  t.test('what was found is told again without another trial, until the rules change', async (t) => {
    await using node = await board({});
    await run('nft', 'table inet site { chain guard { type filter hook forward priority 10; policy accept; }; }');
    const events = spawn('nft', ['monitor', 'tables'], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.teardown(() => events.kill('SIGKILL'));
    let text = '';
    events.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const sees = (what: RegExp, count: number) =>
      until(
        () => (text.match(what)?.length === count ? true : undefined),
        deadline(backWithinMs, `${count} of ${what}`),
      );
    let marks = 0;
    const trials = async (): Promise<number> => {
      marks += 1;
      await run('nft', `add table inet mark${marks}; delete table inet mark${marks}`);
      await sees(/delete table inet mark\d/g, marks);
      return text.match(/delete table inet oakestra_probe/g)?.length ?? 0;
    };
    const listens = async () => {
      await run('nft', 'add table inet begun; delete table inet begun');
      return text.includes('delete table inet begun') || undefined;
    };
    await until(listens, deadline(backWithinMs, 'nft monitor'));
    t.notOk((await node.deploy(0, '80')).json()['warning']);
    const first = await trials();
    t.ok(first > 0, 'it is tried');
    t.notOk((await node.deploy(1, '81:80')).json()['warning']);
    t.equal(await trials(), first, 'once for all');
    await run('nft', 'add rule inet site guard udp dport 53 drop');
    t.notOk((await node.deploy(2, '82:80')).json()['warning'], 'it is nothing that this instance needs');
    t.ok((await trials()) > first, 'but that has to be tried');
    const { warning } = (await node.deploy(3, '53/udp')).json();
    t.match(warning, /to instances by UDP over IPv4.* dropped by inet site guard \(rule: udp dport 53 drop\)/);
    t.equal((await node.deploy(4, '54:53/udp')).json()['warning'], warning, 'a bad answer is told again, too');
    await run('nft', 'delete table inet site');
    t.notOk((await node.deploy(5, '55:53/udp')).json()['warning']);
    for (const instance of [0, 1, 2, 3, 4, 5]) await node.undeploy(instance);
    t.equal(await node.daemon.end('SIGTERM'), 0, node.daemon.log());
  });

  t.test('where firewalld runs, the links are in its zone trusted as long as there are instances', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'firewalld-'));
    const list = join(folder, 'trusted');
    await writeFile(list, 'lab0\n');
    // As much of firewall-cmd as is asked for; firewalld itself needs a D-Bus.
    const program = `#!/bin/sh
case "$*" in
  '--zone=trusted --list-interfaces') tr '\\n' ' ' <${list} ;;
  '-q --zone=trusted --add-interface='*) echo "\${3#*=}" >>${list} ;;
  '-q --zone=trusted --remove-interface='*) grep -vxF "\${3#*=}" ${list} >${list}.new; mv ${list}.new ${list} ;;
  *) exit 2 ;;
esac
`;
    await writeFile(join(folder, 'firewall-cmd'), program, { mode: 0o755 });
    await run(
      'nft',
      'table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; policy accept; }; }',
    );
    for (const [WasmTopology, link] of [
      ['bridged', 'goProxyBridge'],
      ['veth', 'veth00oak+'],
    ] as const) {
      await using node = await board({ WasmTopology }, { PATH: `${folder}:${process.env['PATH']}` });
      t.notOk((await node.deploy(0)).json()['warning']);
      t.equal(await readFile(list, 'utf8'), `lab0\n${link}\n`);
      await writeFile(list, 'lab0\n');
      await run('nft', 'delete', 'table', 'inet', 'firewalld');
      await run(
        'nft',
        'table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; policy accept; }; }',
      );
      const back = async () => (await readFile(list, 'utf8')) === `lab0\n${link}\n` || undefined;
      await until(back, deadline(backWithinMs, 'after a reload'));
      await node.undeploy(0);
      t.equal(await readFile(list, 'utf8'), 'lab0\n', 'and no longer');
      t.equal(await node.daemon.end('SIGTERM'), 0, node.daemon.log());
    }
    await run('nft', 'delete', 'table', 'inet', 'firewalld');
    await rm(folder, { recursive: true });
  });
});
