import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { labWorld } from '../support/lab.ts';
import { printedResults } from '../support/report.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const file = (name: string): string => JSON.stringify(path.join(root, name));

/** The scenario bridged, at whose end `plant` is run on the board: what is counted after it has that in it. */
const planted = (plant: string): string => `
import bridged from ${file('scenarios/bridged.ts')};
import { scenario } from ${file('lab/scenario/scenario.ts')};

export default scenario({
  ...bridged,
  run: async (lab) => {
    await bridged.run(lab);
    await lab.step('plant', lab.board, async ({ $ }) => {
      await $\`sh -c \${${JSON.stringify(plant)}}\`;
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

const opts = process.env['LAB_NIGHTLY'] ? {} : { skip: 'two runs of minutes: LAB_NIGHTLY=1' };

t.test('slowdowns that were planted are regressions, and the step that grew is named', opts, async (t) => {
  await using world = await labWorld();
  const judge = async (plant: string) => {
    const scenario = path.join(world.temporary, 'bridged.ts');
    await fs.writeFile(scenario, planted(plant));
    const ran = await world.run([
      'scenario',
      scenario,
      '--deterministic',
      '--seeds',
      '2',
      '--reports',
      world.reports,
      '--json',
    ]);
    t.equal(ran.code, 0, { stderr: ran.stderr });
    return await world.run(['report', 'diff', '--baseline', printedResults(ran.stdout).folder]);
  };
  const longer = await judge(rules);
  t.equal(longer.code, 1, { stdout: longer.stdout, stderr: longer.stderr });
  t.match(longer.stdout, /request\.p50 mapped port grew by/);
  t.notMatch(longer.stdout, /request\.p50 loopback grew/);
  const slower = await judge(program);
  t.equal(slower.code, 1, { stdout: slower.stdout, stderr: slower.stderr });
  t.match(slower.stdout, /^deployment grew by/m);
  t.notMatch(slower.stdout, /request\.p50 \S+ grew/);
});
