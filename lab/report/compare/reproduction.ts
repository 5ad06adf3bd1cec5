import { isDeepStrictEqual } from 'node:util';
import type { Input, Metric, Results } from '../model/results.ts';

/** Something of a report that its repetition has otherwise, and both values for a person. */
export type Difference = { readonly name: string; readonly before: string; readonly after: string };

/** How a repetition compares with the report that it repeats. */
export type Reproduction = {
  /** What was run otherwise: machine, options and inputs. Where there is any, what follows from it is no news. */
  readonly inputs: readonly Difference[];
  /** What came out otherwise: verdicts, expectations, counted figures. */
  readonly outcome: readonly Difference[];
};

const absent = 'absent';

/** Values by name, both sides side by side, as far as they differ. */
const differences = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly Difference[] =>
  [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const both = { before: before.get(name) ?? absent, after: after.get(name) ?? absent };
    return both.before === both.after ? [] : [{ name, ...both }];
  });

const inputText = ({ version, sha256, detail }: Input): string =>
  [version, detail, sha256 === undefined ? undefined : `sha256:${sha256.slice(0, 12)}`]
    .filter((part) => part !== undefined)
    .join(' ');

const runWith = ({ scenario, machine, options, inputs }: Results): ReadonlyMap<string, string> =>
  new Map([
    ['scenario', scenario.name],
    ...Object.entries(machine).map(([key, value]) => [`machine ${key}`, String(value)] as const),
    ...Object.entries(options).map(([key, value]) => [`option ${key}`, String(value)] as const),
    ...inputs.map((input) => [input.name, inputText(input)] as const),
  ]);

const metricName = ({ name, where, dimensions }: Metric): string =>
  [name, where, ...Object.values(dimensions)].join(' ');

const cameOut = ({ verdict, steps, metrics = [] }: Results): ReadonlyMap<string, string> =>
  new Map([
    ['verdict', verdict],
    ...steps.flatMap((step) => [
      [`step "${step.name}"`, step.verdict] as const,
      ...step.expectations.map(
        ({ name, verdict: of, actual = '' }) => [`step "${step.name}": ${name}`, `${of} ${actual}`.trim()] as const,
      ),
    ]),
    ...metrics.map((metric) => [metricName(metric), metric.samples.join(', ')] as const),
  ]);

/** What of a report but `run`, in which repetitions of the same inputs may differ, its repetition has otherwise. */
export const compareReproduction = (before: Results, after: Results): Reproduction => {
  const inputs = differences(runWith(before), runWith(after));
  const outcome = differences(cameOut(before), cameOut(after));
  const { run: _1, ...first } = before;
  const { run: _2, ...second } = after;
  const isOther = inputs.length === 0 && outcome.length === 0 && !isDeepStrictEqual(first, second);
  return {
    inputs,
    outcome: isOther ? [{ name: 'results.json', before: 'one text', after: 'another' }] : outcome,
  };
};
