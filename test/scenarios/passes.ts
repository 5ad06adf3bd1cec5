import fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { Results } from '../../lab/report/model/results.ts';
import { labWorld } from '../support/lab.ts';
import { printedResults } from '../support/report.ts';

/** What a scenario left. */
export type ScenarioRun = { readonly results: Results; readonly file: (name: string) => Promise<string> };

/** All samples of a metric, whatever its dimensions. */
export const samplesOf = ({ run }: Results, name: string): readonly number[] =>
  run.metrics.filter((metric) => metric.name === name).flatMap(({ samples }) => samples);

/** Runs a scenario as a user does, with a short load and with `words` after its name, and checks that it passes and leaves nothing but its report. */
export const passesOn = (
  machine: string,
  name: string,
  more: (t: Test, run: ScenarioRun) => Promise<void> = async () => {},
  skip: string | false = false,
  words: readonly string[] = [],
) =>
  t.test(`${name} passes on ${machine}`, { skip }, async (t) => {
    await using world = await labWorld();
    const short = ['--duration', '1', '--json', '--reports', world.reports];
    const { code, stdout, stderr } = await world.run(['scenario', name, ...words, '--machine', machine, ...short]);
    t.equal(code, 0, { stderr });
    const { folder, results } = printedResults(stdout);
    t.equal(results.verdict, 'passed');
    t.strictSame(await world.processes(), [], 'no process is left');
    t.strictSame(await world.leftovers(), [], 'no folder and no record is left');
    await more(t, { results, file: (file) => fs.readFile(path.join(folder, file), 'utf8') });
  });
