import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { until } from '../../../../lab/system/wait.ts';
import { withoutLocal } from '../../../scenarios/local/local.ts';
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
  t.ok(await until(gone, AbortSignal.timeout(20_000)), 'all of them end by themselves');
  const { code } = await world.run(['clean']);
  t.equal(code, 0);
  t.strictSame(await world.leftovers(), []);
});

t.test('a machine that was started stays, can be asked, and goes', { skip }, async (t) => {
  await using world = await labWorld();
  const up = await world.run(['up', 'veth', '--machine', 'local']);
  t.equal(up.code, 0, up.stderr);
  const address = await world.run(['exec', '--instance', 'lab.test.hello.test.instance.0', 'ip', 'address']);
  t.match(address.stdout, /10\.10\.0\.2\/26/);
  t.match((await world.run(['logs', 'NetManager'])).stdout, /the network stands: veth/);
  t.equal((await world.run(['doctor', '--machine'])).code, 0);
  await world.run(['exec', 'ip', 'link', 'add', 'br0', 'type', 'bridge']);
  const ill = await world.run(['doctor', '--machine']);
  t.equal(ill.code, 3);
  t.match(ill.stdout, /ip link delete br0/);
  t.equal((await world.run(['down'])).code, 0);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});
