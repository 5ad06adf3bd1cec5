import fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { ownerOf } from '../../../../lab/machine/hardware/board-lock.ts';
import { hostKeyFile, saveMachine } from '../../../../lab/machine/hardware/definition.ts';
import { pack } from '../../../../lab/machine/hardware/luggage.ts';
import { hostMachine } from '../../../../lab/system/elf.ts';
import { until } from '../../../../lab/system/wait.ts';
import { printedResults } from '../../../e2e/report.ts';
import { type LabEnded, labWorld } from '../../../support/lab.ts';
import { noNamespaces } from '../../../support/user-namespace.ts';
import { type Computer, startComputer } from './computer.ts';

const skip = noNamespaces('--user', '--map-root-user', '--net', '--mount', '--pid', '--fork') ?? false;
process.env['XDG_CONFIG_HOME'] = t.testdir();

/** What there is on a computer that a run could leave behind. */
const traces = async ({ look }: Computer): Promise<string> => {
  const files = await look('find', '/run', '/var', '/tmp', '-not', '-path', '/run/mount*');
  return [files, await look('ip', '-brief', 'address'), await look('ps', '-e', '-o', 'args=')].join('\n');
};

/** A computer under the name `bench`, and a lab of its own. */
const bench = async (t: Test, worker?: readonly string[]) => {
  const stack = new AsyncDisposableStack();
  t.teardown(() => stack.disposeAsync());
  const world = stack.use(await labWorld());
  const computer = stack.use(await startComputer(world.temporary, worker));
  await fs.rm(hostKeyFile('bench'), { force: true });
  saveMachine('bench', computer.definition);
  const arguments_ = (name: string) => [
    'scenario',
    name,
    '--machine',
    'bench',
    '--duration',
    '1',
    '--json',
    '--reports',
    world.reports,
  ];
  return { world, computer, scenario: arguments_ };
};

const failsAsLab = (t: Test, { code, stdout, stderr }: LabEnded, message: RegExp): void => {
  t.equal(code, 3, stderr);
  t.match(printedResults(stdout).results, { verdict: 'error', run: { failure: { message } } });
};

t.test(
  'a scenario runs on a board that only ssh reaches, and leaves nothing there',
  { skip, timeout: 240_000 },
  async (t) => {
    const { world, computer, scenario } = await bench(t);
    const before = await traces(computer);
    const { code, stdout, stderr } = await world.run(scenario('bridged'));
    t.equal(code, 0, stderr);
    const { folder, results } = printedResults(stdout);
    t.match(results, {
      ...{ verdict: 'passed', machine: { name: 'bench', fidelity: 'hardware', accelerator: 'none' } },
      run: {
        condition: { kernel: { before: /\d/, after: /\d/ }, 'address bits': { before: /\d/ } },
        firstAnswer: { status: 200 },
      },
    });
    t.ok(
      results.run.metrics.some(({ kind }) => kind === 'performance'),
      'hardware has performance',
    );
    t.match(await fs.readFile(path.join(folder, 'summary.md'), 'utf8'), /## Board[\s\S]*kernel/);
    const events = await fs.readFile(path.join(folder, 'events.ndjson'), 'utf8');
    t.match(events, /carrying the worker over, [\d.]+ of [\d.]+ MB/, 'it is said how far that has come');
    t.equal(await traces(computer), before, 'the board is as it was');
    t.strictSame(await world.processes(), []);
    const secret = (await fs.readFile(computer.definition.identity ?? '', 'utf8')).split('\n')[1] ?? '';
    t.ok(secret.length > 20);
    for (const name of await fs.readdir(folder))
      t.notOk((await fs.readFile(path.join(folder, name), 'utf8')).includes(secret), `${name} has no secret`);

    await t.test('what ssh cannot do is told apart, each with exit code 3', async (t) => {
      const { definition } = computer;
      const strange = await startComputer(path.join(world.temporary, '..'));
      t.teardown(() => strange[Symbol.asyncDispose]());
      const cases: readonly (readonly [Parameters<typeof saveMachine>[1], RegExp])[] = [
        [{ ...definition, port: 1 }, /bench is there, but no ssh answers/],
        [
          { ...definition, identity: strange.definition.identity ?? '' },
          /bench does not let you in as root@127\.0\.0\.1/,
        ],
        [{ ...definition, ssh: 'root@no-such-host.invalid' }, /there is no host by the name/],
        [
          { ...definition, port: strange.definition.port ?? 0, identity: strange.definition.identity ?? '' },
          /another host key than the one that was pinned/,
        ],
        [
          { ...definition, architecture: definition.architecture === 'x86_64' ? 'aarch64' : 'x86_64' },
          /bench cannot be used, architecture: it is/,
        ],
        [{ ...definition, serial: '/dev/no-such-serial' }, /the serial console \/dev\/no-such-serial cannot be opened/],
        [{ ...definition, port: 1, powerCycle: ['/bin/false'] }, /the power command of the machine file failed/],
      ];
      for (const [changed, message] of cases) {
        saveMachine('bench', changed);
        failsAsLab(t, await world.run(scenario('bridged')), message);
      }
      saveMachine('bench', definition);
      t.equal(await traces(computer), before);
    });

    await t.test('doctor says what there is to say', async (t) => {
      const good = await world.run(['doctor', '--machine', 'bench']);
      t.equal(good.code, 0, good.stdout);
      t.match(good.stdout, /✓ ssh: [\s\S]*✓ architecture: [\s\S]*✓ worker: not installed[\s\S]*✓ kernel: /);
      saveMachine('bench', { ...computer.definition, serial: '/dev/no-such-serial' });
      const bad = await world.run(['doctor', '--machine', 'bench']);
      t.equal(bad.code, 3);
      t.match(bad.stdout, /✗ serial console: [\s\S]*dialout/);
      saveMachine('bench', computer.definition);
      t.equal(await traces(computer), before);
    });

    await t.test('a lock that nobody holds any more is taken over, one that somebody holds is not', async (t) => {
      const lock = (owner: string, age: number) =>
        computer.look(
          'sh',
          '-c',
          'mkdir -p /run/oakestra-lab; printf "%s\\n%s\\n" "$1" "$(($(cut -d. -f1 /proc/uptime) - $2))" >/run/oakestra-lab/lock',
          'sh',
          owner,
          String(age),
        );
      await lock(ownerOf('20260101T000000-abcdef'), 0);
      failsAsLab(
        t,
        await world.run(scenario('bridged')),
        /bench is in use by the lab on .* run 20260101T000000-abcdef/,
      );
      await lock('elsewhere/boot/pid:[1] 17 4711 another', 1000);
      t.equal(
        (await world.run([...scenario('bridged'), '--until', 'boot the board'])).code,
        2,
        'it was not heard of for too long',
      );
      await lock(ownerOf('dead').replace(/ \d+ \d+ /, ' 4194303 1 '), 0);
      t.equal(
        (await world.run([...scenario('bridged'), '--until', 'boot the board'])).code,
        2,
        'its process has ended',
      );
      t.equal(await traces(computer), before);
    });

    await t.test('what a killed lab left is put in order by the next run', async (t) => {
      const lab = world.start([...scenario('bridged'), '--duration', '60']);
      await lab.says(/HTTP from the lab/);
      lab.child.kill('SIGKILL');
      await lab.ended;
      t.match(await traces(computer), /oaklab0/);
      const next = await world.run(scenario('veth'));
      t.equal(next.code, 0, next.stderr);
      t.equal(await traces(computer), before);
      t.strictSame(await world.processes(), []);
    });

    await t.test('an interrupted run puts everything back', async (t) => {
      const lab = world.start([...scenario('bridged'), '--duration', '60']);
      await lab.says(/HTTP from the lab/);
      lab.child.kill('SIGINT');
      t.equal((await lab.ended).code, 130);
      t.equal(await traces(computer), before);
    });
  },
);

t.test(
  'a worker that is installed is used, and the board has its own files back',
  { skip, timeout: 240_000 },
  async (t) => {
    const { archives } = await pack('bench', hostMachine(), undefined, AbortSignal.timeout(200_000));
    const { world, computer, scenario } = await bench(t, archives);
    const own = `
    echo '{"cluster_address": "10.99.0.1", "cluster_port": 10100}' >/etc/oakestra/conf.json
    mkdir -p /var/lib/oakestra && echo 'of another cluster' >/var/lib/oakestra/state`;
    await computer.look('sh', '-c', own);
    const everything = async () =>
      `${await traces(computer)}\n${await computer.look('sh', '-c', 'find /etc/oakestra /var -type f -exec cat {} +; nft list ruleset')}`;
    const before = await everything();
    const { code, stdout, stderr } = await world.run(scenario('bridged'));
    t.equal(code, 0, stderr);
    t.match(printedResults(stdout).results.inputs, [
      {},
      { name: 'wasmtime (board)' },
      { name: 'node (board)' },
      { name: 'worker', version: 'as installed' },
    ]);
    t.equal(await everything(), before);
  },
);

t.test('the power command brings a board back that does not answer', { skip, timeout: 120_000 }, async (t) => {
  const { world, computer, scenario } = await bench(t);
  const asked = path.join(world.temporary, 'power');
  saveMachine('bench', { ...computer.definition, powerCycle: ['touch', asked] });
  await computer.refuse(true);
  const run = world.run([...scenario('bridged'), '--until', 'boot the board']);
  await until(() => fs.stat(asked).catch(() => undefined), AbortSignal.timeout(60_000));
  await computer.refuse(false);
  const { code, stdout, stderr } = await run;
  t.equal(code, 2, stderr);
  t.match(printedResults(stdout).results.run.notes, [/its power was taken away and given back/]);
});
