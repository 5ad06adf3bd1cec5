import path from 'node:path';
import type { Command } from 'commander';
import { type ExtraFile, writeReport } from '../report/folder.ts';
import { terminal } from '../report/formats/terminal.ts';
import { joinRuns } from '../report/model/replicates.ts';
import type { Results } from '../report/model/results.ts';
import type { CountedTask } from '../scenario/deterministic/image.ts';
import { type CountedOutcome, checkCountable, runCounted } from '../scenario/deterministic/run.ts';
import { usageFault } from '../system/errors.ts';
import { reapRuns } from '../system/runs.ts';
import { type CommandContext, exitWith, printJson } from './context.ts';
import { preflight } from './preflight/preflight.ts';
import { coloursOf, showProgress } from './progress.ts';
import { tellOfRun } from './told.ts';
import { leaveReport } from './trouble.ts';

/** What a command line says of a run whose instructions are counted. */
export type DeterministicFlags = { readonly deterministic: boolean; readonly verify: boolean; readonly seeds: number };

/** Options that mean nothing where requests are counted one after the other, or where nothing stays. */
const contrary = [
  'connections',
  'duration',
  'rate',
  'keepAlive',
  'replicates',
  'keep',
  'pause',
  'image',
  'boot',
  'fresh',
  'netManager',
];

const isTyped = (command: Command, key: string): boolean => command.getOptionValueSource(key) === 'cli';

/** Throws a usage fault where options do not go together. */
export const checkDeterministicFlags = ({ deterministic }: DeterministicFlags, command: Command): void => {
  if (deterministic && command.getOptionValue('accel') === 'kvm')
    throw usageFault('a deterministic run counts instructions, which TCG alone can: leave out --accel kvm');
  const typed = (keys: readonly string[]) =>
    command.options
      .filter((option) => keys.includes(option.attributeName()) && isTyped(command, option.attributeName()))
      .map(({ long }) => long);
  const wrong = typed(deterministic ? contrary : ['verify', 'seeds']);
  if (wrong.length === 0) return;
  throw usageFault(
    deterministic
      ? `a deterministic run takes no ${wrong.join(', no ')}`
      : `${wrong.join(' and ')} belong to a deterministic run: add --deterministic`,
  );
};

/** The runs of all seeds as one, with what their repetitions showed. */
const joined = ({ runs, notes, difference }: CountedOutcome): Results => {
  const results = joinRuns(
    runs.map((run) => run.results),
    'seeds',
  );
  const failure = { step: 'repeat the run', message: difference ?? '', next: [] };
  return {
    ...results,
    ...(difference === undefined ? {} : { verdict: 'failed' }),
    run: {
      ...results.run,
      notes: [...results.run.notes, ...notes],
      ...(difference === undefined ? {} : { failure }),
    },
  };
};

/** Runs a scenario deterministically and leaves a report, with what `repeatable` adds to it. */
export const runDeterministic = async (
  task: CountedTask,
  flags: DeterministicFlags & { readonly reports: string; readonly json: boolean },
  repeatable: (results: Results) => { readonly results: Results; readonly files: readonly ExtraFile[] },
  context: CommandContext,
): Promise<void> => {
  const { found, kind, machine } = task;
  checkCountable(task);
  await preflight({ kinds: [kind], reports: flags.reports, wasmtime: machine.wasmtime }, context.signal);
  await reapRuns();
  using progress = showProgress(process.stderr);
  const { seeds, verify } = flags;
  const outcome = await runCounted({ ...task, seeds, verify, signal: context.signal, onEvent: progress.event });
  progress[Symbol.dispose]();
  const { results, files: inputs } = repeatable(joined(outcome));
  const files = outcome.runs.find((run) => run.results.run.id === results.run.id)?.files ?? [];
  const folder = path.join(flags.reports, `${results.run.id}-${found.name}-${kind.name}-deterministic`);
  const isWritten = await leaveReport(folder, () => writeReport(folder, results, [...files, ...inputs]));
  if (flags.json) printJson({ ...(isWritten ? { folder } : {}), results });
  const where = isWritten ? { folder: path.relative('', folder) } : {};
  process.stderr.write(`\n${terminal(results, { colours: coloursOf(process.stderr), ...where })}`);
  await tellOfRun(results);
  exitWith(context, results.verdict);
};
