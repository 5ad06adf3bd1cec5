import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { findScenario, scenarioNames } from '../../../lab/scenario/find.ts';
import { messageOf } from '../../../lab/system/errors.ts';

const module = new URL('../../../lab/scenario/scenario.ts', import.meta.url).href;
const source = `import { scenario } from '${module}';
export default scenario({ description: 'Is it mine?', requires: [], network: { topology: 'bridged', subnet: '10.10.0.0' }, async run() {} });
`;

t.test('scenarios are found by name and by path', async (t) => {
  const names = await scenarioNames();
  t.ok(names.includes('bridged'));
  for (const name of names) t.match(await findScenario(name), { name, scenario: { description: /\S/ } });
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'lab-find-'));
  t.teardown(() => fs.rm(folder, { recursive: true }));
  await fs.writeFile(path.join(folder, 'mine.ts'), source);
  t.match(await findScenario(path.join(folder, 'mine.ts')), { name: 'mine', scenario: { description: 'Is it mine?' } });

  await fs.writeFile(path.join(folder, 'other.ts'), 'export default { description: 7 };\n');
  await t.rejects(findScenario(path.join(folder, 'other.ts')), { fault: 'usage', message: /exports no scenario/ });
  await fs.writeFile(path.join(folder, 'broken.ts'), 'export default {{\n');
  await t.rejects(findScenario(path.join(folder, 'broken.ts')), { fault: 'usage', message: /cannot load/ });
  await t.rejects(findScenario(path.join(folder, 'none.ts')), { fault: 'usage', message: /cannot load/ });
});

t.test('a name that does not exist is answered with the nearest', async (t) => {
  await t.rejects(findScenario('brigded'), {
    fault: 'usage',
    message: /no scenario 'brigded' \(did you mean 'bridged'\?/,
  });
  const hint = await findScenario('xyzzyxyzzy').then(() => '', messageOf);
  t.match(hint, /there (is|are) .*bridged/);
  t.notMatch(hint, /did you mean/);
});
