import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { labWorld } from '../support/lab.ts';
import { printedResults } from '../support/report.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const file = (name: string): string => JSON.stringify(path.join(root, name));

/** What is run on the board: before the scenario's first step, after which the worker starts again, or at its end. */
type Plant = { readonly before?: string; readonly after?: string };

/** The scenario bridged with something planted: what is counted after its steps has that in it. */
const planted = ({ before, after }: Plant): string => `
import bridged from ${file('scenarios/bridged.ts')};
import { scenario } from ${file('lab/scenario/scenario.ts')};

const [before, after] = ${JSON.stringify([before ?? '', after ?? ''])};

export default scenario({
  ...bridged,
  run: async (lab) => {
    if (before !== '')
      await lab.step('plant', lab.board, async ({ $, signal }) => {
        await $\`sh -c \${before}\`;
        await $\`/etc/init.d/S99nodeengine restart\`;
        await $\`/etc/init.d/S98netmanager restart\`;
        await lab.cluster.networkReady(signal);
      });
    await bridged.run(lab);
    if (after !== '')
      await lab.step('plant', lab.board, async ({ $ }) => {
        await $\`sh -c \${after}\`;
      });
  },
});
`;

const rules = `
nft 'add table ip planted; add chain ip planted path { type filter hook forward priority 0; }'
for n in $(seq 20); do nft add rule ip planted path ip saddr 10.99.0.$n counter; done
`;

/** In front of a program that a deployment starts, another one. */
const program = `
real=$(command -v nft) && mv "$real" "$real.real"
printf '#!/bin/sh\\n/usr/bin/true\\nexec "%s.real" "$@"\\n' "$real" >"$real" && chmod 755 "$real"
`;

const longer = 'INFO, in a line that is half as long again as it was';

/** Lines of both daemons' logs that are longer than they are. */
const words = `
cd /usr/lib/oakestra
for daemon in net-manager.cjs node-engine.cjs; do
  sed -i 's/"INFO"/"${longer}"/' $daemon && grep -q "${longer}" $daemon || exit 1
done
`;

const skip = process.env['LAB_NIGHTLY'] ? false : 'runs of minutes: set LAB_NIGHTLY=1';

const seeds = '3';

/** Counts the instructions of a planted scenario and compares them with the committed baseline. */
const judge = async (t: Test, plant: Plant) => {
  await using world = await labWorld();
  const scenario = path.join(world.temporary, 'bridged.ts');
  await fs.writeFile(scenario, planted(plant));
  const options = ['--deterministic', '--seeds', seeds, '--reports', world.reports, '--json'];
  const ran = await world.run(['scenario', scenario, ...options]);
  t.equal(ran.code, 0, { stderr: ran.stderr });
  const { folder } = printedResults(ran.stdout);
  const judged = await world.run(['report', 'diff', '--baseline', folder]);
  const log = await fs.readFile(path.join(folder, 'NodeEngine.log'), 'utf8');
  t.comment(judged.stdout);
  return { ...judged, log };
};

t.test('20 rules on the path of a request are a regression of the ways that they lie on', { skip }, async (t) => {
  const { code, stdout, stderr } = await judge(t, { after: rules });
  t.equal(code, 1, { stdout, stderr });
  t.match(stdout, /request\.p50 mapped port grew by/);
  t.notMatch(stdout, /request\.p50 loopback grew/);
});

t.test('one more program in each step of a deployment is a regression of the deployment', { skip }, async (t) => {
  const { code, stdout, stderr } = await judge(t, { after: program });
  t.equal(code, 1, { stdout, stderr });
  t.match(stdout, /^deployment\.lower grew by/m);
  t.notMatch(stdout, /request\.p50 \S+ grew/);
});

t.test('a longer line in the log is no regression', { skip }, async (t) => {
  const { code, stdout, stderr, log } = await judge(t, { before: words });
  t.match(log, longer, 'it was planted');
  t.equal(code, 0, { stdout, stderr });
});
