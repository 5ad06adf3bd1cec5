import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { bundleClient, bundleLab } from '../../../../lab/scenario/deterministic/bundle.ts';

const scenario = fileURLToPath(new URL('../../../../scenarios/bridged.ts', import.meta.url));

t.test("the lab's half is the same bytes each time, and names no folder of this computer", async (t) => {
  const [one, two] = await Promise.all([bundleLab(scenario), bundleLab(scenario)]);
  t.ok(one.equals(two));
  t.notOk(one.includes(fileURLToPath(new URL('../../../../', import.meta.url))));
  const veth = await bundleLab(fileURLToPath(new URL('../../../../scenarios/veth.ts', import.meta.url)));
  t.ok(veth.includes('file:///usr/lib/oakestra-lab/lab/wasm/app.ts'), 'fixtures are found where the guest has them');
});

t.test('both programs are whole: they need no package, and say what they lack', async (t) => {
  const folder = t.testdir();
  const lab = path.join(folder, 'lab.cjs');
  const client = path.join(folder, 'client.cjs');
  await fs.writeFile(lab, await bundleLab(scenario));
  await fs.writeFile(client, await bundleClient());
  const line = path.join(folder, 'line');
  await fs.writeFile(line, '');
  // there is no plan here, which it says on the line that results leave on
  await promisify(execFile)(process.execPath, [lab, line], { cwd: '/' });
  t.match(await fs.readFile(line, 'utf8'), /"error":"ENOENT.*plan\.json/);
  // an empty plan is no JSON
  const started = promisify(execFile)(process.execPath, [client]);
  started.child.stdin?.end();
  await t.rejects(started, /SyntaxError/);
});
