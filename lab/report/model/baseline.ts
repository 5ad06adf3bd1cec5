import Type, { type Static } from 'typebox';
import { LabError } from '../../system/errors.ts';
import { metricsOf } from './metrics.ts';
import { Input, Metric, type Results } from './results.ts';

/** Figures of a deterministic run that later runs are judged by, and the inputs for which they hold. */
export const Baseline = Type.Object({
  version: Type.Literal(1),
  scenario: Type.String(),
  machine: Type.String(),
  inputs: Type.Array(Input),
  /** One sample a seed. */
  metrics: Type.Array(Metric),
});
export type Baseline = Static<typeof Baseline>;

/** What the figures depend on besides the product: with another one of these they say nothing about it. */
const decisive = ['component', 'qemu', 'kernel', 'device tree', 'node (board)', 'wasmtime (board)', 'layer system'];

/** The inputs of a run for which its figures hold, without the product's own. */
export const decisiveInputs = ({ inputs }: Pick<Results, 'inputs'>): readonly Input[] =>
  inputs.filter(({ name }) => decisive.includes(name));

/** Fewer seeds tell too little about how much a figure scatters. */
export const fewestSeeds = 5;

/** How many seeds a deterministic run had. */
const seedsOf = ({ options }: Pick<Results, 'options'>): number => Number(options['seeds'] ?? 1);

/** The command of a run that a baseline can be made of. */
const runForBaseline = ({ scenario, machine }: Pick<Results, 'scenario' | 'machine'>): string =>
  `npm run lab -- scenario ${scenario.name} --machine ${machine.name} --deterministic --seeds ${fewestSeeds}`;

/** The commands that make the baseline of a run, out of the report that has this name where it has seeds enough. */
export const commandsForBaseline = (results: Results, report: string): readonly string[] =>
  seedsOf(results) < fewestSeeds
    ? [runForBaseline(results), 'npm run lab -- report baseline latest']
    : [`npm run lab -- report baseline ${report}`];

/** Makes a baseline of a deterministic run. Throws a LabError (incomplete) when the run does not give one. */
export const baselineOf = (results: Results): Baseline => {
  const { scenario, machine, verdict } = results;
  const metrics = metricsOf(results).filter(({ kind }) => kind === 'counted');
  const refuse = (why: string) =>
    new LabError(`no baseline can be made of this run: ${why}`, {
      fault: 'incomplete',
      next: [runForBaseline(results)],
    });
  if (machine.fidelity !== 'counted' || metrics.length === 0) throw refuse('no instructions were counted');
  if (verdict !== 'passed') throw refuse(`it did not pass (${verdict})`);
  const seeds = Math.min(...metrics.map(({ samples }) => samples.length));
  if (seeds < fewestSeeds) throw refuse(`it has ${seeds} seeds, and takes ${fewestSeeds}`);
  return {
    ...{ version: 1, scenario: scenario.name, machine: machine.name },
    inputs: [...decisiveInputs(results)],
    metrics,
  };
};

/** Where the baseline of a scenario on a machine lies, below the folder of baselines. */
export const baselineName = ({ scenario, machine }: Results): string => `${scenario.name}-${machine.name}.json`;
