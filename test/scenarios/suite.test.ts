import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readResults } from '../../lab/report/read.ts';
import { labWorld } from '../support/lab.ts';
import { withoutLocal } from './local/local.ts';
import { scenarioText } from './written.ts';

const skip = withoutLocal();
const owner = fileURLToPath(new URL('../lab/system/owner.ts', import.meta.url));

type Printed = {
  readonly folder: string;
  readonly entries: readonly { readonly scenario: string; readonly verdict: string; readonly reason?: string }[];
};

/** A lab, and the files of a user's scenarios, made of what each of them does. */
const worldWith = async (bodies: Readonly<Record<string, string>>, needs?: readonly string[]) => {
  const world = await labWorld();
  const folder = await fs.mkdtemp(path.join(world.temporary, '..', 'mine-'));
  const files = await Promise.all(
    Object.entries(bodies).map(async ([name, body]) => {
      const file = path.join(folder, `${name}.ts`);
      await fs.writeFile(file, scenarioText(body, needs));
      return file;
    }),
  );
  return { world, folder, files };
};

t.test('in a suite every scenario runs, whatever the others do', { skip }, async (t) => {
  const { world, files } = await worldWith({
    throws: "await step('throw', board, async () => { throw new Error('on purpose'); });",
    outside: "throw new TypeError('outside of a step');",
    swallows: "await step('throw', board, async () => { throw new Error('not seen'); }).catch(() => {});",
    forgets: "await step('deploy', lab, () => deploy());",
    leaves: 'process.exit(9);',
  });
  await using _ = world;
  const options = ['--machine', 'local', '--duration', '1', '--reports', world.reports, '--json'];
  const jobSummary = path.join(world.temporary, '..', 'job-summary.md');
  const inJob = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: jobSummary };
  const { code, stdout, stderr } = await world.start(['suite', ...files, 'veth', ...options], inJob).ended;
  const { folder: report, entries } = JSON.parse(stdout) as Printed;
  t.strictSame(
    entries.map(({ scenario, verdict }) => [scenario, verdict]),
    [
      ['throws', 'failed'],
      ['outside', 'error'],
      ['swallows', 'failed'],
      ['forgets', 'error'],
      ['leaves', 'error'],
      ['veth', 'passed'],
    ],
    stderr,
  );
  t.match(entries[0]?.reason, /on purpose/);
  t.match(entries[1]?.reason, /outside of its steps: outside of a step/);
  t.match(entries[3]?.reason, /left lab\.test\.hello\.test\.instance\.0 deployed/);
  t.equal(code, 3, 'the worst of them decides');
  t.match(await fs.readFile(path.join(report, 'report.html'), 'utf8'), /Does a service on a veth pair/);
  t.match(await fs.readFile(path.join(report, 'summary.md'), 'utf8'), /\| veth \| local \| passed \|/);
  t.match(await fs.readFile(path.join(report, 'junit.xml'), 'utf8'), /testsuite name="veth on local"/);
  const told = await fs.readFile(jobSummary, 'utf8');
  t.equal(told.match(/^# /gm)?.length, 1, 'the suite tells of it, and not each run as well');
  t.match(told, /\| veth \| local \| passed \|[\s\S]*## throws on local[\s\S]*on purpose/);
  t.match(stderr, /^::error title=throws on local%3A failed::.*on purpose$/m);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

t.test('a scenario that never ends is ended, and the next one begins', { skip }, async (t) => {
  const endless = "await step('hang', board, () => new Promise(() => { setInterval(() => {}, 1000); }));";
  const { world, files } = await worldWith({ first: endless, second: endless });
  await using _ = world;
  // on a busy computer a scenario is ended before its first step: what has to pass has no limit here
  const options = ['--machine', 'local', '--limit', '12', '--reports', world.reports, '--json'];
  const { code, stdout, stderr } = await world.run(['suite', ...files, ...options]);
  t.match(
    (JSON.parse(stdout) as Printed).entries,
    ['first', 'second'].map((scenario) => ({ scenario, verdict: 'incomplete', reason: /timed out after 12 s/ })),
    stderr,
  );
  t.equal(code, 2);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

t.test('the shards of a suite run its scenarios between them, and are merged to the whole', { skip }, async (t) => {
  const { world, files } = await worldWith({
    passes: "await step('look', board, ({ $ }) => $`true`);",
    throws: "await step('throw', board, async () => { throw new Error('on purpose'); });",
  });
  await using _ = world;
  const run = async (index: number) => {
    const reports = path.join(world.reports, `shard-${index}`);
    const options = ['--machine', 'local', '--shard', `${index}/3`, '--reports', reports];
    return { reports, ...(await world.run(['suite', ...files, ...options])) };
  };
  const shards = [await run(1), await run(2), await run(3)];
  t.strictSame(
    shards.map(({ code }) => code),
    [0, 1, 0],
    { stderr: shards.map(({ stderr }) => stderr) },
  );
  t.match(shards[2]?.stderr, /the shard 3\/3 has nothing to run/);
  const folders = shards.map(({ reports }) => reports);
  const whole = await world.run(['report', 'merge', ...folders, '--reports', world.reports, '--json']);
  t.equal(whole.code, 1, { stderr: whole.stderr });
  t.match((JSON.parse(whole.stdout) as Printed).entries, [
    { scenario: 'passes', verdict: 'passed' },
    { scenario: 'throws', verdict: 'failed', reason: /on purpose/ },
  ]);
});

t.test('a scenario that was asked for and cannot run on the machine leaves the suite incomplete', async (t) => {
  const { world, files } = await worldWith({ unable: '' }, ['bridge', 'teleport']);
  await using _ = world;
  const suites = await Promise.all(
    [1, 2, 3].map(() => world.run(['suite', ...files, '--machine', 'local', '--reports', world.reports, '--json'])),
  );
  const printed = suites.map(({ stdout }) => JSON.parse(stdout) as Printed);
  t.strictSame(
    suites.map(({ code }) => code),
    [2, 2, 2],
    'as the scenario alone ends',
  );
  t.match(printed[0]?.entries, [{ scenario: 'unable', verdict: 'incomplete', reason: /local, which has no teleport/ }]);
  t.equal(new Set(printed.map(({ folder }) => folder)).size, 3, 'suites of the same second have reports of their own');
  for (const { folder } of printed) {
    t.match(folder, /-suite$/);
    t.match(JSON.parse(await fs.readFile(path.join(folder, 'suite.json'), 'utf8')), { verdict: 'incomplete' });
  }
});

t.test('a scenario answers for what it left itself, not for a lab that was killed beside it', { skip }, async (t) => {
  const { world, folder, files } = await worldWith({
    clean: `
      const { existsSync } = await import('node:fs');
      const { setTimeout: pause } = await import('node:timers/promises');
      await step('wait for the other', lab, async () => {
        while (!existsSync(new URL('killed', import.meta.url))) await pause(100);
      });`,
    untidy: `
      const { writeFileSync } = await import('node:fs');
      const { cachePath } = await import(${JSON.stringify(new URL('../../lab/system/files/cache.ts', import.meta.url))});
      const { listRuns } = await import(${JSON.stringify(new URL('../../lab/system/runs.ts', import.meta.url))});
      const [own] = await listRuns();
      process.once('exit', () => writeFileSync(cachePath('runs', own.id + '.json'), JSON.stringify(own)));`,
  });
  await using _ = world;
  const options = ['--machine', 'local', '--duration', '1', '--reports', world.reports, '--json'];
  const suite = world.start(['suite', ...files, ...options]);
  await suite.says(/clean on local[\s\S]*✓ start the worker/);
  const other = spawn(process.execPath, [owner], { env: world.env, stdio: ['pipe', 'pipe', 'inherit'] });
  await once(other.stdout, 'data');
  other.kill('SIGKILL');
  await once(other, 'exit');
  await fs.writeFile(path.join(folder, 'killed'), '');
  const { stdout, stderr } = await suite.ended;
  const { entries } = JSON.parse(stdout) as Printed;
  t.match(
    entries,
    [
      { scenario: 'clean', verdict: 'passed' },
      { scenario: 'untidy', verdict: 'error', reason: /left \S+ behind/ },
    ],
    stderr,
  );
  t.strictSame(await world.leftovers(), [], 'what the other left is removed all the same');
});

t.test('a suite boots the image that was asked for', async (t) => {
  await using world = await labWorld();
  const { code, stdout } = await world.run(['suite', 'bridged', '--machine', 'virt', '--image', 'buildroot', '--json']);
  t.match(JSON.parse(stdout), { entries: [{ machine: 'virt', reason: /there is no Buildroot image yet/ }] });
  t.equal(code, 3);
});

t.test('replicates are samples, and two runs can be compared', { skip }, async (t) => {
  await using world = await labWorld();
  const run = ['scenario', 'bridged', '--machine', 'local', '--duration', '1', '--replicates', '2'];
  for (const _ of ['before', 'after']) t.equal((await world.run([...run, '--reports', world.reports])).code, 0);
  const names = (await fs.readdir(world.reports)).filter((name) => name !== 'latest').toSorted();
  const [before = '', after = ''] = names;
  const results = await readResults(path.join(world.reports, before));
  t.equal(results.run.metrics.find(({ name }) => name === 'load.rate')?.samples.length, 2);
  const places = ['--reports', world.reports];
  t.match((await world.run(['report', 'list', ...places])).stdout, /bridged on local +passed/);
  t.match((await world.run(['report', 'show', after, ...places])).stdout, /passed in/);
  const diff = await world.run(['report', 'diff', before, after, ...places]);
  t.equal(diff.code, 0, { stderr: diff.stderr });
  t.match(diff.stdout, /no regression/);
});

t.test('a plan is printed and nothing is done', async (t) => {
  await using world = await labWorld();
  const { code, stdout, stderr } = await world.run(['plan', 'veth']);
  t.equal(code, 0, { stderr });
  t.match(stdout, /type veth peer name/);
  t.strictSame(await world.leftovers(), []);
});
