import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { until } from '../../../../lab/system/wait.ts';
import { withoutLocal } from '../../../scenarios/local/local.ts';
import { scenarioText } from '../../../scenarios/written.ts';
import { labWorld } from '../../../support/lab.ts';

const skip = withoutLocal();

/** Ids of processes that carry the mark of a run. */
const marked = async (run: string): Promise<readonly string[]> => {
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await fs.readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(`OAKESTRA_LAB_RUN=${run}`) ? [pid] : [];
    }),
  );
  return found.flat();
};

t.test('a lab that is killed takes its board with it', { skip }, async (t) => {
  await using world = await labWorld();
  const lab = world.start([
    'scenario',
    'bridged',
    '--machine',
    'local',
    '--duration',
    '60',
    '--reports',
    world.reports,
  ]);
  await lab.says(/HTTP from the lab/);
  const [record = ''] = (await world.leftovers()).filter((file) => file.endsWith('.json'));
  const run = path.basename(record, '.json');
  t.ok((await marked(run)).length > 3, 'the board, its worker and their guards run');
  lab.child.kill('SIGKILL');
  await lab.ended;
  const gone = async () => (await marked(run)).length === 0 || undefined;
  t.ok(await until(gone, AbortSignal.timeout(120_000)), 'all of them end by themselves');
  const { code } = await world.run(['clean']);
  t.equal(code, 0);
  t.strictSame(await world.leftovers(), []);
});

t.test('a step that fails leads into the namespace in which it failed', { skip }, async (t) => {
  await using world = await labWorld();
  const file = path.join(world.temporary, '..', 'mine.ts');
  await fs.writeFile(
    file,
    scenarioText(`
    const service = await step('deploy', lab, () => deploy({ instance: 3 }));
    await step('ask', service.instance, async ({ $, expect }) => expect.equal('name', (await $\`hostname\`).stdout, ''));
    `),
  );
  const run = ['scenario', file, '--machine', 'local', '--reports', world.reports];
  const until = await world.run([...run, '--until', 'deploy']);
  t.equal(until.code, 2, 'what was ended early is incomplete');
  t.match(until.stderr, /stopped after the step 'deploy', as asked/);
  t.notMatch(until.stderr, /[✓✗] ask/);
  const never = await world.run([...run, '--until', 'deploi']);
  t.equal(never.code, 1, 'the failure comes first');

  const failed = await world.run([...run, '--keep']);
  t.equal(failed.code, 1);
  const [, ...command] = /^ +npm run lab -- (shell) (--instance) (\S+)$/m.exec(failed.stderr) ?? [];
  t.strictSame(command, ['shell', '--instance', 'lab.test.hello.test.instance.3'], failed.stderr);
  const shell = await world.run(command, 'ip -brief address; pgrep -x tcpdump\n');
  t.match(shell.stdout, /10\.10\.0\.2\//);
  t.notMatch(shell.stdout, /goProxyBridge|^\d+$/m, 'it is inside, and nothing of the lab goes on');
  t.match((await world.run(['logs', 'NodeEngine'])).stdout, /lab\.test\.hello\.test\.instance\.3/);
  t.equal((await world.run(['down'])).code, 0);
  t.strictSame(await world.processes(), []);
});

t.test('a machine that was started stays, can be asked, and goes', { skip }, async (t) => {
  await using world = await labWorld();
  const up = await world.run(['up', 'veth', '--machine', 'local']);
  t.equal(up.code, 0, { stderr: up.stderr });
  const hello = fileURLToPath(new URL('../../../../fixtures/hello-wasi-http/hello-wasi-http.wasm', import.meta.url));
  t.equal((await world.run(['deploy', hello, '--name', 'hello'])).code, 0);
  const address = await world.run(['exec', '--instance', 'lab.test.hello.test.instance.0', 'ip', 'address']);
  t.match(address.stdout, /10\.10\.0\.2\/26/);
  t.match((await world.run(['logs', 'NetManager'])).stdout, /the network is ready: veth/);
  t.equal((await world.run(['doctor', '--machine'])).code, 0);
  await world.run(['exec', 'ip', 'link', 'add', 'br0', 'type', 'bridge']);
  const ill = await world.run(['doctor', '--machine']);
  t.equal(ill.code, 3);
  t.match(ill.stdout, /ip link delete br0/);
  t.equal((await world.run(['down'])).code, 0);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});
