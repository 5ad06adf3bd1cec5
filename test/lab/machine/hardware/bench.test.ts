import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { ownerOf } from '../../../../lab/machine/hardware/board-lock.ts';
import { saveMachine } from '../../../../lab/machine/hardware/definition.ts';
import { packPayload } from '../../../../lab/machine/hardware/worker/payload.ts';
import { hostMachine } from '../../../../lab/system/elf.ts';
import { printedResults } from '../../../support/report.ts';
import { bench, failsAsLab, quiet, skip, traces, tracesAfter } from './bench.ts';
import { startComputer } from './computer.ts';

process.env['XDG_CONFIG_HOME'] = t.testdir();

t.test('a scenario runs on a board that only ssh reaches, and leaves nothing there', { skip }, async (t) => {
  const { world, computer, scenario } = await bench(t);
  const before = await traces(computer);
  const { code, stdout, stderr } = await world.run(scenario('bridged'));
  t.equal(code, 0, { stderr });
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
  t.match(events, /carrying the programs over, [\d.]+ of [\d.]+ MB/, 'it is said how far that has come');
  t.equal(await tracesAfter(computer, before), before, 'the board is as before');
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
    t.equal(await tracesAfter(computer, before), before);
  });

  await t.test("a firewall that keeps the worker from the lab is said, and is not the worker's fault", async (t) => {
    const rules =
      'table inet strict { chain input { type filter hook input priority 0; policy drop; iif lo accept; ct state established accept; }; }';
    await computer.look('nft', rules);
    const doctor = await world.run(['doctor', '--machine', 'bench']);
    t.match(doctor.stdout, /! firewall: .*oaklab0\n {4}ufw allow in on oaklab0/);
    failsAsLab(t, await world.run(scenario('bridged')), /cannot reach the lab: a firewall on bench drops/);
    await computer.look('nft', 'insert rule inet strict input iifname oaklab0 accept');
    t.equal((await world.run([...scenario('bridged'), '--until', 'start the worker'])).code, 2, 'as it was told');
    await computer.look('nft', 'delete table inet strict');
    t.equal(await tracesAfter(computer, before), before);
  });

  await t.test('doctor says what there is to say', async (t) => {
    const good = await world.run(['doctor', '--machine', 'bench']);
    t.equal(good.code, 0, good);
    t.match(good.stdout, /✓ ssh: [\s\S]*✓ architecture: [\s\S]*✓ worker: not installed[\s\S]*✓ kernel: /);
    saveMachine('bench', { ...computer.definition, serial: '/dev/no-such-serial' });
    const bad = await world.run(['doctor', '--machine', 'bench']);
    t.equal(bad.code, 3);
    t.match(bad.stdout, /✗ serial console: [\s\S]*dialout/);
    saveMachine('bench', computer.definition);
    t.equal(await tracesAfter(computer, before), before);
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
    failsAsLab(t, await world.run(scenario('bridged')), /bench is in use by the lab on .* run 20260101T000000-abcdef/);
    await lock('elsewhere/boot/pid:[1] 17 4711 another', 1000);
    t.equal(
      (await world.run([...scenario('bridged'), '--until', 'boot the board'])).code,
      2,
      'it was not heard of for too long',
    );
    await lock(ownerOf('dead').replace(/ \d+ \d+ /, ' 4194303 1 '), 0);
    t.equal((await world.run([...scenario('bridged'), '--until', 'boot the board'])).code, 2, 'its process has ended');
    t.equal(await tracesAfter(computer, before), before);
  });

  await t.test('what a killed lab left is put in order by the next run', async (t) => {
    const lab = world.start([...scenario('bridged'), '--duration', '60']);
    await lab.says(/HTTP from the lab/);
    lab.child.kill('SIGKILL');
    await lab.ended;
    t.match(await traces(computer), /oaklab0/);
    const next = await world.run(scenario('veth'));
    t.equal(next.code, 0, { stderr: next.stderr });
    t.equal(await tracesAfter(computer, before), before);
    t.strictSame(await world.processes(), []);
  });

  await t.test('an interrupted run puts everything back', async (t) => {
    const lab = world.start([...scenario('bridged'), '--duration', '60']);
    await lab.says(/HTTP from the lab/);
    lab.child.kill('SIGINT');
    t.equal((await lab.ended).code, 130);
    t.equal(await tracesAfter(computer, before), before);
  });
});

t.test('a worker that is installed is used, and the board has its own files back', { skip }, async (t) => {
  const { archives } = await packPayload('bench', hostMachine(), undefined, AbortSignal.timeout(800_000));
  const { world, computer, scenario } = await bench(t, archives);
  const own = `
    echo '{"cluster_address": "10.99.0.1", "cluster_port": 10100}' >/etc/oakestra/conf.json
    mkdir -p /var/lib/oakestra && echo 'of another cluster' >/var/lib/oakestra/state`;
  await computer.look('sh', '-c', own);
  const everything = async () =>
    `${await traces(computer)}\n${await computer.look('sh', '-c', 'find /etc/oakestra /var -xdev -type f -exec cat {} +; nft list ruleset')}`;
  const before = await everything();
  // a run that lost its power while it put the configuration aside
  const begun = '/var/lib/oakestra-lab/kept.new/etc';
  await computer.look('sh', '-c', `mkdir -p ${begun} && echo '{}' >${begun}/conf.json`);
  const { code, stdout, stderr } = await world.run(scenario('bridged'));
  t.equal(code, 0, { stderr });
  t.match(printedResults(stdout).results.inputs, [
    {},
    { name: 'wasmtime (board)' },
    { name: 'node (board)' },
    { name: 'worker', version: 'as installed' },
  ]);
  await quiet(computer, before);
  t.equal(await everything(), before);
});
