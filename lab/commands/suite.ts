import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { execa } from 'execa';
import Type from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';
import { type AcceleratorChoice, type ImageKind, imageKinds, type MachineKind } from '../machine/kind.ts';
import { machineKind, machineNames } from '../machine/machines.ts';
import { reap } from '../machine/reap.ts';
import { writeSuite } from '../report/folder.ts';
import { suiteOnGithub } from '../report/formats/github.ts';
import { suiteTerminal } from '../report/formats/terminal.ts';
import { entryReason } from '../report/formats/wording.ts';
import { tellGithub } from '../report/github.ts';
import { Results } from '../report/model/results.ts';
import { parseShard, type ShardChoice, shardOf } from '../report/model/shards.ts';
import { countedEntries, type SuiteEntry, suiteVerdict } from '../report/model/suite.ts';
import { findScenario, scenarioNames } from '../scenario/find.ts';
import { reasonNotRunnable } from '../scenario/run/run.ts';
import { messageOf, usageFault } from '../system/errors.ts';
import { entryMark, newId } from '../system/runs.ts';
import { accelOption } from './accel-option.ts';
import { type CommandContext, defaultReports, exitWith, printJson, wholeNumber } from './context.ts';
import { preflight } from './preflight/preflight.ts';
import { coloursOf } from './progress.ts';
import { leaveReport } from './trouble.ts';

const killMs = 30_000;

/** What a scenario prints with --json; it has no folder where its report could not be written. */
const ScenarioOutput = Type.Object({ folder: Type.Optional(Type.String()), results: Results });

type SuiteFlags = {
  readonly machine: readonly string[];
  readonly image: ImageKind;
  readonly accel: AcceleratorChoice;
  readonly duration: number;
  readonly replicates: number;
  readonly limit: number;
  readonly shard?: ShardChoice;
  readonly reports: string;
  readonly json: boolean;
};

const entryOf = (name: string, { name: machine }: MachineKind) => ({ scenario: path.basename(name, '.ts'), machine });

/** Runs one scenario as a process of its own, so that whatever it does the others go on. */
const runOne = async (
  name: string,
  kind: MachineKind,
  flags: SuiteFlags,
  { signal }: CommandContext,
): Promise<SuiteEntry> => {
  const began = performance.now();
  const options = ['--machine', kind.name, '--duration', `${flags.duration}`, '--replicates', `${flags.replicates}`];
  if (kind.bootsImages) options.push('--image', flags.image, '--accel', flags.accel);
  const mark = newId();
  const child = await execa(
    process.execPath,
    [process.argv[1] ?? '', 'scenario', name, ...options, '--reports', flags.reports, '--json'],
    {
      env: { [entryMark]: mark },
      reject: false,
      stdin: 'ignore',
      stderr: 'inherit',
      timeout: flags.limit * 1000,
      cancelSignal: signal,
      forceKillAfterDelay: killMs,
    },
  );
  // what a lab beside this one left is removed as well, but is not this scenario's doing
  const left = (await reap()).runs.filter(({ entry }) => entry === mark);
  const entry = { ...entryOf(name, kind), seconds: (performance.now() - began) / 1000 };
  const cut = child.timedOut ? `it timed out after ${flags.limit} s` : signal.aborted ? 'interrupted' : undefined;
  try {
    const { folder, results } = parseJson(ScenarioOutput, child.stdout, 'what the scenario printed');
    const report = folder === undefined ? {} : { report: path.basename(folder) };
    const found = { ...entry, ...entryReason(results), ...report, results };
    if (cut !== undefined) return { ...found, verdict: 'incomplete', reason: cut };
    if (left.length === 0) return { ...found, verdict: results.verdict };
    return { ...found, verdict: 'error', reason: `it left ${left.map(({ id }) => id).join(', ')} behind` };
  } catch (error) {
    if (cut !== undefined) return { ...entry, verdict: 'incomplete', reason: cut };
    return {
      ...entry,
      verdict: 'error',
      reason: `it left no results (exit code ${child.exitCode}): ${messageOf(error)}`,
    };
  }
};

const suite = async (requested: readonly string[], flags: SuiteFlags, context: CommandContext): Promise<void> => {
  const kinds = flags.machine.map(machineKind);
  if ((flags.image !== 'debian' || flags.accel !== 'auto') && !kinds.some(({ bootsImages }) => bootsImages))
    throw usageFault('no machine here is emulated: leave out --image and --accel');
  const names = requested.length > 0 ? requested : await scenarioNames();
  const found = await Promise.all(names.map(async (name) => ({ name, ...(await findScenario(name)).scenario })));
  const scenarios = found.filter(({ onRequest }) => requested.length > 0 || !onRequest);
  const folder = path.join(flags.reports, `${newId()}-suite`);
  await preflight({ kinds, reports: flags.reports }, context.signal);
  await reap();
  const pairs = kinds.flatMap((kind) =>
    scenarios.map((scenario) => ({ kind, ...scenario, ...entryOf(scenario.name, kind) })),
  );
  const judged = pairs.map((pair) => ({ ...pair, why: reasonNotRunnable(pair, pair.kind) }));
  const unable = judged.flatMap(({ scenario, machine, why }): readonly SuiteEntry[] =>
    why === undefined
      ? []
      : [{ scenario, machine, seconds: 0, verdict: 'incomplete', reason: `not on ${machine}${why}` }],
  );
  const plan = judged.filter(({ why }) => why === undefined);
  const named = requested.length > 0;
  const choice = flags.shard;
  const shard = choice && {
    ...{ ...choice, named, unable: [...unable] },
    plan: plan.map(({ scenario, machine }) => ({ scenario, machine })),
  };
  for (const { scenario, reason } of unable) process.stderr.write(`${scenario}: ${reason}\n`);
  const ran: SuiteEntry[] = [];
  // what a shard cannot run is counted once, where the shards are merged
  const counted = () => (shard ? ran : countedEntries(ran, unable, named));
  const write = () => writeSuite(folder, counted(), shard);
  const due = choice ? shardOf(plan, choice) : plan;
  for (const { name, kind } of due) {
    if (context.signal.aborted) break;
    ran.push(await runOne(name, kind, flags, context));
    // for whoever is interrupted; what is in the way is said at the end
    await write().catch(() => {});
  }
  const entries = counted();
  const isWritten = await leaveReport(folder, write);
  const listed = entries.map(({ results: _, ...entry }) => entry);
  if (flags.json) printJson({ ...(isWritten ? { folder } : {}), entries: listed });
  const where = isWritten ? `report: ${path.relative('', folder)}\n` : '';
  process.stderr.write(`\n${suiteTerminal(entries, coloursOf(process.stderr) ? 1 : 0)}${where}`);
  await tellGithub(suiteOnGithub(entries));
  if (choice && due.length === 0)
    process.stderr.write(`the shard ${choice.index}/${choice.count} has nothing to run\n`);
  exitWith(context, choice && due.length === 0 ? 'passed' : suiteVerdict(entries));
};

const shardChoice = (text: string): ShardChoice => {
  const choice = parseShard(text);
  if (choice) return choice;
  throw new InvalidArgumentError('It takes K/N, the Kth of N shards, as 1/4.');
};

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

export const addSuiteCommand = (program: Command, context: CommandContext): void => {
  program
    .command('suite')
    .description('run scenarios one after another, on one machine or several, and leave one combined report')
    .argument('[names...]', 'which scenarios (default: all that the machine can run)')
    .addOption(
      new Option(
        '--machine <name>',
        `where they run, may be repeated: ${machineNames.join(', ')}, or a board of your own`,
      )
        .argParser(collect)
        .default([], 'local'),
    )
    .addOption(new Option('--image <kind>', 'what emulated boards boot').choices(imageKinds).default('debian'))
    .addOption(accelOption())
    .option('--duration <s>', 'seconds of load', wholeNumber(1, 3600), 10)
    .option('--replicates <n>', 'how often each scenario runs', wholeNumber(1, 100), 1)
    .option('--limit <s>', 'seconds after which a scenario is ended', wholeNumber(1, 86_400), 1800)
    .option('--shard <k/n>', 'run only the Kth of N parts of it; report merge joins their reports', shardChoice)
    .option('--reports <folder>', 'where reports go', defaultReports)
    .option('--json', 'the outcome as one JSON document on stdout', false)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- suite --machine local\n  npm run lab -- suite veth bridged --machine local --machine virt\n  npm run lab -- suite --machine virt --image buildroot\n  npm run lab -- suite --machine virt --shard 2/4',
    )
    .action((names: readonly string[], flags: SuiteFlags) =>
      suite(names, { ...flags, machine: flags.machine.length > 0 ? flags.machine : ['local'] }, context),
    );
};
