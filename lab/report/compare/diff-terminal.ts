import { Chalk, type ChalkInstance } from 'chalk';
import { columns } from '../formats/columns.ts';
import { formatValue, plain } from '../formats/wording.ts';
import type { Diff, Judgement, MetricChange } from './diff.ts';

const paints: Readonly<Record<Judgement, (chalk: ChalkInstance) => ChalkInstance>> = {
  better: (chalk) => chalk.green,
  worse: (chalk) => chalk.red,
  same: (chalk) => chalk.dim,
  "can't tell": (chalk) => chalk.yellow,
};

const percent = (ratio: number): string =>
  new Intl.NumberFormat('en', { style: 'percent', signDisplay: 'exceptZero', maximumFractionDigits: 1 }).format(
    ratio - 1,
  );

const row = (
  chalk: ChalkInstance,
  { metric, judgement, before, after, ratio, why }: MetricChange,
): readonly string[] => {
  const value = (of: number | undefined) => (of === undefined ? '-' : formatValue(of, metric.unit));
  return [
    paints[judgement](chalk)(judgement),
    plain([metric.name, ...Object.values(metric.dimensions)].join(' ')),
    `${value(before)} → ${value(after)}`,
    ratio ? `${percent(ratio.low)} to ${percent(ratio.high)}` : '',
    why ?? '',
  ];
};

/** A comparison for a terminal: every metric with its judgement, the changed inputs, and the outcome as last line. */
export const diffTerminal = ({ changes, inputs, regression }: Diff, colours: 0 | 1 | 2 | 3): string => {
  const chalk = new Chalk({ level: colours });
  const count = (judgement: Judgement) => changes.filter((change) => change.judgement === judgement).length;
  const outcome = regression ? chalk.red.bold('a regression') : chalk.green.bold('no regression');
  const counts = (['better', 'worse', 'same', "can't tell"] as const).map((word) => `${count(word)} ${word}`);
  const blocks = [
    columns(changes.map((change) => row(chalk, change))),
    inputs.map(({ name, before, after }) => `changed: ${plain(name)}, ${plain(before)} → ${plain(after)}`),
    [`${outcome}: ${counts.join(', ')}`],
  ];
  return `${blocks
    .filter((block) => block.length > 0)
    .map((block) => block.join('\n'))
    .join('\n\n')}\n`;
};
