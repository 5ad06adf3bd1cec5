import { spawnSync } from 'node:child_process';
import t from 'tap';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { attachLab, get, run, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';
import { backWithinMs, board, service } from './firewall-board.ts';

const task = `${service}.instance.0`;

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
});
