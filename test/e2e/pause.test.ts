import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { readResults } from '../../lab/report/read.ts';
import { withoutLocal } from '../scenarios/local/local.ts';
import { scenarioText } from '../scenarios/written.ts';
import { labWorld } from '../support/lab.ts';

const skip = withoutLocal();

t.test(
  'a scenario stops after a step with a shell on the board, and goes on when that is left',
  { skip },
  async (t) => {
    await using world = await labWorld();
    const options = ['--machine', 'local', '--duration', '1', '--reports', world.reports];
    const run = world.start(['scenario', 'bridged', ...options, '--pause', 'deploy through the worker']);
    await run.says(/paused after the step 'deploy through the worker', with a shell in the board/);
    run.child.stdin?.write('ip netns list; echo on-$((6*7))\n');
    await run.prints(/lab\.test\.hello\.test\.instance\.0[\s\S]*on-42/);
    t.notMatch(run.stderr(), /undeploy/, 'the scenario waits');
    run.child.stdin?.end('exit\n');
    const { code, stderr } = await run.ended;
    t.equal(code, 0, { stderr });
    t.match(stderr, /going on after [\d.]+ s\n[\s\S]*✓ undeploy/);
    const { run: told, verdict } = await readResults(path.join(world.reports, 'latest'));
    t.equal(verdict, 'passed');
    t.match(told.notes.join('\n'), /the run was paused for [\d.]+ s after the step 'deploy through the worker'/);
    t.strictSame(await world.processes(), []);
    t.strictSame(await world.leftovers(), []);
  },
);

t.test('a step that there is not is named with the nearest, and nobody waits', { skip }, async (t) => {
  await using world = await labWorld();
  const file = path.join(world.temporary, '..', 'short.ts');
  await fs.writeFile(file, scenarioText("await step('look', board, ({ $ }) => $`true`);"));
  const options = ['--machine', 'local', '--reports', world.reports];
  const { code, stderr } = await world.run(['scenario', file, ...options, '--pause', 'loook']);
  t.equal(code, 2);
  t.match(stderr, /--pause: no step is called 'loook' \(did you mean 'look'\?/);
});
