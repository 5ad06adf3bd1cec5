import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { labWorld } from '../../support/lab.ts';
import { printedResults } from '../../support/report.ts';
import { samplesOf } from '../passes.ts';
import { scenarioText } from '../written.ts';
import { withoutLocal } from './local.ts';

t.test(
  'a load is as the scenario wants it, and fails its step when it is not answered',
  { skip: withoutLocal() },
  async (t) => {
    await using world = await labWorld();
    const file = path.join(world.temporary, '..', 'mine.ts');
    await fs.writeFile(
      file,
      scenarioText(`
    const service = await step('deploy', lab, () => deploy({ port: '8080:80' }));
    const url = 'http://' + service.address.v4 + '/';
    const right = { status: 200, body: 'Hello, wasi:http/proxy world!\\n' };
    await step('by options', lab, () => load('by options', 'http://10.0.2.15:8080/', right));
    await step('scheduled', board, () => load('scheduled', url, right, { from: board, perSecond: 20, connections: 8 }));
    await step('fresh', board, () => load('fresh', url, right, { from: board, keepAlive: false }));
    const wrong = { status: 200, body: 'another' };
    await step('may fail', board, () => load('may fail', url, wrong, { from: board, mayFail: true }));
    await step('may not', board, () => load('may not', url, wrong, { from: board }));
    `),
    );
    const options = ['--machine', 'local', '--duration', '1', '--rate', '40', '--connections', '16'];
    const run = ['scenario', file, ...options, '--reports', world.reports, '--json'];
    const { code, stdout, stderr } = await world.run(run);
    t.equal(code, 1, { stderr });
    const { results } = printedResults(stdout);
    t.match(results.run.failure, { step: 'may not', message: /wrong body [1-9]/ });
    t.match(results.options, { rate: 40, connections: 16 });
    const counts = (load: string, name: string) =>
      samplesOf(
        {
          ...results,
          run: { ...results.run, metrics: results.run.metrics.filter((m) => m.dimensions['load'] === load) },
        },
        name,
      )[0];
    for (const [load, due] of [
      ['by options', 40],
      ['scheduled', 20],
      ['fresh', 40],
    ] as const) {
      t.equal((counts(load, 'load.sent') ?? 0) + (counts(load, 'load.shed') ?? 0), due, load);
      t.ok((counts(load, 'load.lateness.p99') ?? 0) > 0, 'it says how late it was itself');
    }
    t.ok((counts('may fail', 'load.wrongBody') ?? 0) > 0);
  },
);
