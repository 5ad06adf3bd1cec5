import t from 'tap';
import { labWorld } from '../support/lab.ts';

/** A moment of a run: the last thing that it said before. */
const moments = [
  { stage: 'preparation', machine: 'virt', after: /bridged on virt/ },
  { stage: 'boot', machine: 'virt', after: /✓ prepare the machine/ },
  { stage: 'start of the worker', machine: 'local', after: /✓ boot the board/ },
  { stage: 'load', machine: 'local', after: /✓ HTTP from the lab/ },
] as const;

for (const { stage, machine, after } of moments) {
  t.test(`Ctrl-C during the ${stage} says so and leaves nothing behind`, async (t) => {
    await using world = await labWorld();
    const lab = world.start(['scenario', 'bridged', '--machine', machine, '--reports', world.reports]);
    await lab.says(after);
    lab.child.kill('SIGINT');
    const { code, stderr } = await lab.ended;
    t.equal(code, 130, stderr);
    t.match(stderr, /SIGINT: taking everything down/);
    t.match(stderr, /interrupted/);
    t.strictSame(await world.processes(), []);
    t.strictSame(await world.leftovers(), []);
  });
}

t.test('what a lab that was killed left is removed by lab clean', async (t) => {
  await using world = await labWorld();
  const lab = world.start(['scenario', 'bridged', '--machine', 'local', '--reports', world.reports]);
  await lab.says(/✓ deploy through the worker/);
  lab.child.kill('SIGKILL');
  await lab.ended;
  t.not((await world.leftovers()).length, 0, 'a killed process cannot clean up');
  t.match(await world.run(['clean']), { code: 0, stdout: /removed .*bridged on local/ });
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});
