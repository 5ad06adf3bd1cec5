import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { withoutLocal } from '../scenarios/local/local.ts';
import { labMain, labWorld } from '../support/lab.ts';

/** A PID namespace of its own, as a container has one: what runs outside cannot be told by its process id in there. */
const container = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc', '--kill-child'];

t.test('labs in two containers with one cache both pass', { skip: withoutLocal() }, async (t) => {
  await using world = await labWorld();
  const scenario = (reports: string) => {
    const [file = '', ...args] = [...container, process.execPath, labMain, 'scenario', 'bridged', '--machine', 'local'];
    const where = ['--duration', '3', '--reports', path.join(world.reports, reports)];
    return execa(file, [...args, ...where], { env: world.env, extendEnv: false, reject: false });
  };
  const first = scenario('first');
  // the second one begins, and looks for what others have left, while the first one is under way
  const begun = new Promise<void>((resolve) =>
    first.stderr.on('data', (text) => /boot the board/.test(text) && resolve()),
  );
  await Promise.race([begun, first]);
  const both = await Promise.all([first, scenario('second')]);
  for (const { exitCode, stderr } of both) t.equal(exitCode, 0, 'it passed', { stderr });
  t.strictSame(await world.leftovers(), []);
  t.strictSame((await fs.readdir(world.reports)).toSorted(), ['first', 'second']);
});
