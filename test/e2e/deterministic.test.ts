import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import type { Results } from '../../lab/report/model/results.ts';
import { readResults } from '../../lab/report/read.ts';
import { labWorld } from '../support/lab.ts';
import { printedResults } from '../support/report.ts';

const figure = ({ metrics = [] }: Results, name: string, load?: string): number =>
  metrics.find((metric) => metric.name === name && metric.dimensions['load'] === load)?.samples[0] ?? 0;

const nightly = process.env['LAB_NIGHTLY'] ? false : 'set LAB_NIGHTLY=1 for the minutes that counting takes';

t.test(
  'bridged counts instructions, the same ones each time, and the baseline judges them',
  { skip: nightly },
  async (t) => {
    await using world = await labWorld();
    const run = ['scenario', 'bridged', '--deterministic', '--verify', '--reports', world.reports, '--json'];
    const { code, stdout, stderr } = await world.run(run);
    t.equal(code, 0, { stderr });
    t.match(stderr, /two runs with seed 1 (were the same to the byte|differed by one tick)/);
    const { folder, results } = printedResults(stdout);

    await t.test(
      'everything passed that passes on an emulated board, and instructions were counted after it',
      async (t) => {
        t.strictSame(await readResults(folder), results, 'results.json is what was printed');
        t.equal(results.verdict, 'passed');
        t.match(results.machine, { name: 'virt', accelerator: 'tcg', fidelity: 'counted' });
        const names = results.steps.map(({ name }) => name);
        for (const step of [
          'HTTP from the lab through the port mapping',
          "compare the board's state",
          'count instructions',
        ])
          t.ok(names.includes(step), step);
        t.strictSame(results.run.metrics, [], 'what does not differ does not stand under `run`');
        for (const load of ['loopback', 'bridged', 'mapped port']) {
          t.ok(figure(results, 'request.p50', load) > figure(results, 'request.client', load), load);
          t.equal(figure(results, 'load.responses', load), 200);
          t.equal(figure(results, 'load.wrongBody', load), 0);
        }
        t.ok(figure(results, 'request.p50', 'mapped port') > figure(results, 'request.p50', 'loopback'));
        for (const name of ['boot', 'worker.start', 'deployment', 'deployment.lower', 'undeployment'])
          t.ok(figure(results, name) > 1e6, name);
      },
    );

    await t.test('the report names what was booted, and has what the worker wrote', async (t) => {
      const digest = (name: string) => results.inputs.find((input) => input.name === name)?.sha256;
      for (const name of ['component', 'image', 'kernel', 'qemu', 'layer worker', 'layer lab'])
        t.match(digest(name), /^[0-9a-f]{64}$/, name);
      for (const name of ['NetManager.log', 'NodeEngine.log', 'console.log', 'events.ndjson'])
        t.ok((await fs.stat(path.join(folder, name))).isFile(), name);
    });

    await t.test('it is no slower than the committed baseline', async (t) => {
      const judged = await world.run(['report', 'diff', '--baseline', folder]);
      if (judged.code === 2) t.comment(judged.stderr);
      t.not(judged.code, 1, { stdout: judged.stdout });
      t.ok([0, 2].includes(Number(judged.code)), { stderr: judged.stderr });
    });

    t.strictSame(await world.processes(), []);
    t.strictSame(await world.leftovers(), []);
  },
);
