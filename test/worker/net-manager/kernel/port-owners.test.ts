import { execFileSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { startNetCluster } from '../../../support/cluster/net.ts';
import { createDaemon } from '../daemon.ts';
import { attachLab, get, run, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';

const isInstalled = (program: string): boolean => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Kinds of rules, the program that makes them, and where ours finds them. */
const others = [
  ['nftables', 'nft', /table ip other, chain pre/],
  ['iptables over nftables', 'iptables-nft', /table ip nat, chain D/],
  ['legacy iptables', 'iptables-legacy', /table ip nat, chain D/],
] as const;

inSandbox(import.meta.url, () => {
  t.before(attachLab);
  for (const [what, program, named] of others) {
    const skip = isInstalled(program) ? false : `${program} is not installed`;
    t.test(`a port that another program maps by rules of ${what} stays its own`, { skip }, async (t) => {
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      const map = async (port: number) => {
        if (program === 'nft') {
          const file = join(daemon.folder, 'rules');
          const chain = `chain pre { type nat hook prerouting priority dstnat; tcp dport ${port} dnat to 192.168.50.2:9; }`;
          await writeFile(file, `table ip other { ${chain}; }\n`);
          await run('nft', '-f', file);
          return;
        }
        const nat = (...words: readonly string[]) => run(program, '-t', 'nat', ...words);
        await nat('-N', 'D').catch(() => undefined);
        await nat('-A', 'PREROUTING', '-m', 'addrtype', '--dst-type', 'LOCAL', '-j', 'D');
        const ports = ['-p', 'tcp', '-m', 'multiport', '--dports', `${port},${port + 1}`];
        await nat('-A', 'D', ...ports, '-j', 'DNAT', '--to-destination', '192.168.50.2:9');
      };
      const unmap = async () => {
        if (program === 'nft') await run('nft', 'delete', 'table', 'ip', 'other');
        else {
          await run(program, '-t', 'nat', '-F');
          await run(program, '-t', 'nat', '-X');
        }
      };
      const deploy = (instanceNumber: number, portMappings: string) =>
        daemon.post('/wasm/deploy', { serviceName: 'app.appns.svc.svcns', instanceNumber, portMappings });
      await deploy(0, '90');
      await map(8080);
      const state = async () => [await run('nft', 'list', 'table', 'inet', 'oakestra'), await readdir('/run/netns')];
      const before = await state();
      const answer = await deploy(1, '8080:80');
      t.equal(answer.status, 500, answer.text);
      t.match(answer.json()['message'], /host port 8080\/tcp is mapped by another program's rules/);
      t.match(answer.json()['message'], named);
      t.same(await state(), before, 'a refused deployment changed nothing');
      t.match(await deploy(1, '8080:80/udp;8082:80'), { status: 200 }, 'what is not mapped is free');

      await unmap();
      t.match(await deploy(2, '8080:80'), { status: 200 }, 'what is mapped no longer is free');
      using _served = await serve('app.appns.svc.svcns.instance.2', 80, 'two');
      t.equal(await get('lab', 'http://192.168.50.1:8080/'), 'two');
      if (program !== 'iptables-legacy') {
        await map(8082);
        const said = () =>
          daemon
            .log()
            .split('\n')
            .filter((line) => /8082\/tcp of app\S+\.instance\.1 is now mapped by another program/.test(line));
        await until(() => said()[0], deadline(120_000, 'the log'));
        await run('nft', 'add', 'table', 'ip', 'more');
        await run('nft', 'add', 'chain', 'ip', 'more', 'c');
        await run('nft', 'add', 'rule', 'ip', 'more', 'c', 'accept');
        t.equal(said().length, 1, 'once');
        await run('nft', 'delete', 'table', 'ip', 'more');
        await unmap();
      }
      for (const instanceNumber of [0, 1, 2])
        await daemon.post('/wasm/undeploy', { serviceName: 'app.appns.svc.svcns', instanceNumber });
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });
  }
});
