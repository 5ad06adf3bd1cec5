import fs from 'node:fs/promises';
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { columns } from '../../report/formats/columns.ts';
import { verdictWords } from '../../report/formats/verdict.ts';
import { formatValue, machineOf } from '../../report/formats/wording.ts';
import type { Verdict } from '../../report/model/results.ts';
import { readResults } from '../../report/read.ts';
import { messageOf } from '../../system/errors.ts';
import { printJson, wholeNumber } from '../context.ts';

/** A report that can be read. `started` is ISO 8601. */
export type Listed = {
  readonly name: string;
  readonly scenario: string;
  readonly machine: string;
  readonly verdict: Verdict;
  readonly started: string;
  readonly seconds: number;
};

const orders = ['started', 'scenario', 'machine', 'verdict', 'seconds'] as const;

/** Which reports, and in which order. */
export type Choice = {
  readonly scenario?: string;
  readonly machine?: string;
  readonly verdict?: Verdict;
  /** ISO 8601. */
  readonly since?: string;
  /** So many of the newest. */
  readonly last?: number;
  readonly sort: (typeof orders)[number];
  readonly reverse: boolean;
};

const compare = (one: string | number, other: string | number): number =>
  typeof one === 'number' && typeof other === 'number' ? one - other : String(one).localeCompare(String(other), 'en');

const oldestFirst = (one: Listed, other: Listed): number => compare(one.started, other.started);

/** The reports that are asked for, in the order that is; those that are equal in it, oldest first. */
export const chosenReports = (reports: readonly Listed[], choice: Choice): readonly Listed[] => {
  const { scenario, machine, verdict, since, last, sort, reverse } = choice;
  const fit = reports
    .filter(
      (one) =>
        (scenario === undefined || one.scenario === scenario) &&
        // of several boards as well
        (machine === undefined || one.machine.replace(/^\d+ x /, '') === machine) &&
        (verdict === undefined || one.verdict === verdict) &&
        (since === undefined || Date.parse(one.started) >= Date.parse(since)),
    )
    .toSorted(oldestFirst);
  const sorted = fit.slice(last === undefined ? 0 : -last).toSorted((one, other) => compare(one[sort], other[sort]));
  return reverse ? sorted.toReversed() : sorted;
};

/** All reports in a folder, and what is wrong with those that cannot be read. */
const reportsIn = async (folder: string) => {
  const names = (await fs.readdir(folder).catch(() => [])).filter((name) => /^\d{8}T/.test(name)).toSorted();
  const found = await Promise.all(
    names.map(async (name): Promise<readonly (Listed | { readonly name: string; readonly problem: string })[]> => {
      const report = path.join(folder, name);
      if (!(await fs.stat(path.join(report, 'results.json')).catch(() => undefined))) return [];
      try {
        const results = await readResults(report);
        const { started, seconds } = results.run;
        const of = { scenario: results.scenario.name, machine: machineOf(results), verdict: results.verdict };
        return [{ name, ...of, started, seconds }];
      } catch (error) {
        return [{ name, problem: messageOf(error) }];
      }
    }),
  );
  return found.flat();
};

type ListFlags = Choice & { readonly reports: string; readonly json: boolean };

const line = ({ name, scenario, machine, verdict, seconds }: Listed): readonly string[] => [
  name,
  `${scenario} on ${machine}`,
  verdictWords[verdict],
  formatValue(seconds, 's'),
];

const list = async (flags: ListFlags): Promise<void> => {
  const found = await reportsIn(flags.reports);
  const readable = found.flatMap((one) => ('problem' in one ? [] : [one]));
  const unreadable = found.flatMap((one) => ('problem' in one ? [one] : []));
  const chosen = chosenReports(readable, flags);
  if (flags.json) printJson([...chosen, ...unreadable]);
  else
    process.stdout.write(
      columns(chosen.map(line))
        .map((text) => `${text}\n`)
        .join(''),
    );
  if (!flags.json) for (const { name, problem } of unreadable) process.stderr.write(`${name}: ${problem}\n`);
  if (chosen.length === 0)
    process.stderr.write(
      readable.length === 0 ? `no report in ${flags.reports}\n` : `none of ${readable.length} reports fits\n`,
    );
};

/** A day or a moment, or so many days or hours ago: `2026-04-01`, `7d`, `12h`. As ISO 8601. */
const moment = (text: string): string => {
  const [, count, unit] = /^(\d{1,4})([dh])$/.exec(text) ?? [];
  const hours = Number(count) * (unit === 'd' ? 24 : 1);
  const time = count === undefined ? Date.parse(text) : Date.now() - hours * 3_600_000;
  if (Number.isNaN(time)) throw new InvalidArgumentError('It takes a day as 2026-04-01, or 7d or 12h ago.');
  return new Date(time).toISOString();
};

/** Makes a command of `report` out of `command`, which has its common options. */
export const addList = (command: Command): void => {
  command
    .option('--scenario <name>', 'only runs of this scenario')
    .option('--machine <name>', 'only runs on this machine')
    .addOption(new Option('--verdict <word>', 'only runs that ended so').choices(Object.keys(verdictWords)))
    .option('--since <when>', 'only runs that began then or later: 2026-04-01, 7d, 12h', moment)
    .option('--last <n>', 'only the newest', wholeNumber(1, 100_000))
    .addOption(new Option('--sort <by>', 'in which order').choices(orders).default('started'))
    .option('--reverse', 'the other way round', false)
    .addHelpText(
      'after',
      `
Examples:
  npm run lab -- report list
  npm run lab -- report list --scenario bridged --machine virt --last 5
  npm run lab -- report list --verdict failed --since 7d
  npm run lab -- report list --sort seconds --reverse`,
    )
    .action(list);
};
