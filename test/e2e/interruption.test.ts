import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { scenarioText } from '../scenarios/written.ts';
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
    t.equal(code, 130, { stderr });
    t.match(stderr, /SIGINT: taking everything down/);
    t.match(stderr, /interrupted/);
    t.strictSame(await world.processes(), []);
    t.strictSame(await world.leftovers(), []);
  });
}

t.test('Ctrl-C while instructions are counted is no fault of the lab', async (t) => {
  await using world = await labWorld();
  const lab = world.start(['scenario', 'bridged', '--deterministic', '--reports', world.reports]);
  await lab.says(/seed 1/);
  lab.child.kill('SIGINT');
  const { code, stderr } = await lab.ended;
  t.equal(code, 130, { stderr });
  t.notMatch(stderr, /fault of the lab/);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

t.test('the same Ctrl-C may come twice, by the terminal and by npm', async (t) => {
  await using world = await labWorld();
  const lab = world.start(['scenario', 'bridged', '--machine', 'local', '--reports', world.reports]);
  await lab.says(/✓ deploy through the worker/);
  lab.child.kill('SIGINT');
  await lab.says(/taking everything down/);
  lab.child.kill('SIGINT');
  const { code, stderr } = await lab.ended;
  t.equal(code, 130, { stderr });
  t.match(stderr, /incomplete in .*: .*interrupted/, 'the report was written');
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

t.test('whoever reads along may end first', async (t) => {
  await using world = await labWorld();
  const lab = world.start(['scenario', 'bridged', '--machine', 'local', '--reports', world.reports]);
  await lab.says(/✓ deploy through the worker/);
  lab.child.stdout?.destroy();
  lab.child.stderr?.destroy();
  lab.child.kill('SIGINT');
  t.equal((await lab.ended).code, 130);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

t.test('an emulator that does not begin is no reason to wait', async (t) => {
  await using world = await labWorld();
  const qemu = path.join(world.temporary, '..', 'qemu');
  await fs.writeFile(qemu, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  const lab = world.start(['scenario', 'bridged', '--qemu', qemu, '--reports', world.reports]);
  await lab.says(/✓ prepare the machine/);
  lab.child.kill('SIGINT');
  t.equal((await lab.ended).code, 130);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

t.test('what a scenario of the user’s own forgot to wait for is no fault of the product', async (t) => {
  await using world = await labWorld();
  const file = path.join(world.temporary, '..', 'forgets.ts');
  const body = "Promise.reject(new Error('nobody waited for this')); await step('deploy', lab, () => deploy());";
  await fs.writeFile(file, scenarioText(body));
  const { code, stderr } = await world.run(['scenario', file, '--machine', 'local', '--reports', world.reports]);
  t.equal(code, 3, { stderr });
  t.match(stderr, /lab: nobody waited for this\n[\s\S]*forgets\.ts/);
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

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
