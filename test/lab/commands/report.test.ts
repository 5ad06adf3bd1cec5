import path from 'node:path';
import t from 'tap';
import { writeReport } from '../../../lab/report/folder.ts';
import type { Metric, Results } from '../../../lab/report/model/results.ts';
import { labWorld } from '../../support/lab.ts';
import { failedResults, passedResults } from '../report/example.ts';

const world = await labWorld();
t.teardown(() => world[Symbol.asyncDispose]());

const rate = (...samples: readonly number[]): Metric => ({
  ...{ name: 'load.rate', unit: '1/s', kind: 'performance', where: 'lab', dimensions: { load: 'x' } },
  samples: [...samples],
});

/** A passed run on this computer's own kernel with these metrics only. */
const native = (...metrics: readonly Metric[]): Results => {
  const results = passedResults('native');
  return { ...results, run: { ...results.run, metrics: [...metrics] } };
};

const reports: Readonly<Record<string, Results>> = {
  fast: native(rate(100, 101, 102, 103, 104)),
  'as-fast': native(rate(100, 101, 102, 103, 104)),
  slow: native(rate(80, 81, 82, 83, 84)),
  failed: failedResults(),
  emulated: passedResults(),
};
for (const [name, results] of Object.entries(reports)) await writeReport(path.join(world.reports, name), results);

t.test('report diff says by its exit code what came of it', async (t) => {
  const diff = (...args: readonly string[]) => world.run(['report', 'diff', ...args, '--reports', world.reports]);
  t.match(await diff('fast', 'as-fast'), { code: 0, stdout: /same +load\.rate x[\s\S]*no regression/ });
  t.match(await diff('slow', 'fast'), { code: 0, stdout: /better +load\.rate x/ });
  t.match(await diff('fast', 'slow'), { code: 1, stdout: /worse +load\.rate x[\s\S]*a regression/ });
  t.match(await diff('emulated', 'failed'), { code: 1, stdout: /a regression/ }, 'it passed before');
  t.match(await diff('emulated', 'emulated'), {
    code: 2,
    stdout: '',
    stderr: /nothing to compare: times of an emulated/,
  });
  t.match(await diff('fast', 'emulated'), { code: 2, stderr: /not comparable: machine/ });
  t.match(await diff('failed', 'emulated'), { code: 2, stderr: /not comparable: first run: failed/ });
  t.match(await diff('fast', 'nowhere'), { code: 64, stderr: /no report at nowhere[\s\S]*report list/ });
  const json = await diff('fast', 'slow', '--json');
  t.equal(json.code, 1);
  t.match(JSON.parse(json.stdout), { regression: true, changes: [{ judgement: 'worse' }] });
});

t.test('report show tells what the report has', async (t) => {
  const { code, stdout } = await world.run(['report', 'show', 'failed', '--reports', world.reports]);
  t.equal(code, 0);
  t.match(stdout, /✗ +http from the board[\s\S]*body, expected[\s\S]*to look further:[\s\S]*failed in 32\.5 s/i);
});
