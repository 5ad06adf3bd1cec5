import { spawn } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { removeFolder } from '../../../support/files/remove.ts';
import { attachLab, footprint, run } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';
import { backWithinMs, board } from './firewall-board.ts';

inSandbox(import.meta.url, () => {
  t.before(attachLab);

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
      t.notMatch(after.rules, /trial/);
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
      return text.match(/delete table inet oakestra_trial/g)?.length ?? 0;
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
    await removeFolder(folder);
  });
});
