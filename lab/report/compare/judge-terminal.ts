import { Chalk } from 'chalk';
import { columns } from '../formats/columns.ts';
import { formatValue, plain } from '../formats/wording.ts';
import type { Judged } from './judge.ts';

const colours = { better: 'green', worse: 'red', same: 'dim', 'not judged': 'dim' } as const;

const percent = new Intl.NumberFormat('en', { style: 'percent', signDisplay: 'exceptZero', maximumFractionDigits: 2 });

const share = (part: number, of: number): string => percent.format(part / of);

const nameOf = ({ metric: { name, dimensions } }: Judged): string =>
  plain([name, ...Object.values(dimensions)].join(' '));

const change = ({ metric: { unit }, before, after }: Judged): string =>
  `${formatValue(before, unit === 'instructions' ? '1' : unit)} → ${formatValue(after, unit)}`;

/** How a step grew, in a sentence. */
const grown = (judged: Judged): string => {
  const { before, after, margin = 0 } = judged;
  return `${nameOf(judged)} grew by ${share(after - before, before)}; up to ${share(margin, before)} would mean nothing`;
};

/**
 * A run beside its baseline for a terminal: every figure with its judgement, then what grew and how that is accepted.
 * `accept` are the commands that make a new baseline.
 */
export const judgedTerminal = (figures: readonly Judged[], accept: readonly string[], level: 0 | 1 | 2 | 3): string => {
  const chalk = new Chalk({ level });
  const rows = figures.map((judged) => [
    chalk[colours[judged.judgement]](judged.judgement),
    nameOf(judged),
    change(judged),
    share(judged.after - judged.before, judged.before),
    judged.margin === undefined ? '' : `margin ${share(judged.margin, judged.before).replace('+', '')}`,
  ]);
  const worse = figures.filter(({ judgement }) => judgement === 'worse');
  const outcome =
    worse.length === 0
      ? [chalk.green.bold('no regression')]
      : [
          chalk.red.bold('a regression'),
          ...worse.map(grown),
          'where that is meant, make a new baseline and commit it:',
          ...accept.map((command) => `  ${command}`),
        ];
  return `${[columns(rows), outcome].map((block) => block.join('\n')).join('\n\n')}\n`;
};
