import path from 'node:path';
import { type Command, Option } from 'commander';
import {
  type AcceleratorChoice,
  type BootSource,
  bootSources,
  type ImageKind,
  imageKinds,
  type MachineKind,
  type MachineOptions,
} from '../machine/kind.ts';
import { machineKind, machineNames } from '../machine/machines.ts';
import { reap } from '../machine/reap.ts';
import { writeReport } from '../report/folder.ts';
import { columns } from '../report/formats/columns.ts';
import { terminal } from '../report/formats/terminal.ts';
import { joinRuns } from '../report/model/replicates.ts';
import { findScenario, scenarioNames } from '../scenario/find.ts';
import { type Outcome, runScenario } from '../scenario/run/run.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type OtherNetManager, openNetManager } from '../scenario/services/net-manager.ts';
import { usageFault } from '../system/errors.ts';
import { helloApp, openApp } from '../wasm/app.ts';
import { accelOption } from './accel-option.ts';
import { type AnswerFlags, addAnswerOptions, readExpectedAnswer } from './answer.ts';
import { type CommandContext, defaultReports, exitWith, printJson, wholeNumber } from './context.ts';
import { checkDeterministicFlags, type DeterministicFlags, runDeterministic } from './deterministic.ts';
import { preflight } from './preflight/preflight.ts';
import { coloursOf, showProgress } from './progress.ts';
import { repeatable, typedOptions } from './repeatable.ts';
import { tellOfRun } from './told.ts';
import { leaveReport } from './trouble.ts';

type ScenarioFlags = AnswerFlags &
  DeterministicFlags & {
    readonly machine: string;
    readonly connections: number;
    readonly duration: number;
    readonly rate?: number;
    readonly keepAlive: boolean;
    readonly replicates: number;
    readonly wasmtime?: string;
    readonly netManager?: string;
    readonly image: ImageKind;
    readonly boot: BootSource;
    readonly qemu?: string;
    readonly fresh: boolean;
    readonly accel: AcceleratorChoice;
    readonly until?: string;
    readonly pause?: string;
    readonly reports: string;
    readonly keep: boolean;
    readonly list: boolean;
    readonly json: boolean;
  };

const list = async (json: boolean): Promise<void> => {
  const found = await Promise.all((await scenarioNames()).map(findScenario));
  if (json)
    printJson(
      found.map(({ name, scenario: { description, requires, machines } }) => ({
        ...{ name, description, requires },
        ...(machines === undefined ? {} : { machines }),
      })),
    );
  else {
    const lines = columns(found.map(({ name, scenario }) => [name, scenario.description]));
    process.stdout.write(`${lines.join('\n')}\n`);
  }
};

/** What the user chose about the machine. Throws a usage fault where it has no image to choose. */
const machineOptions = (flags: ScenarioFlags, kind: MachineKind): MachineOptions => {
  const { wasmtime, qemu, image, boot, fresh, accel } = flags;
  if (kind.bootsImages)
    // which one ran is said of the machine: it is an option of the run where somebody chose it
    return { wasmtime, qemu, image, boot, ...(accel === 'auto' ? {} : { accel }), ...(fresh ? { fresh } : {}) };
  if (qemu !== undefined || image !== 'debian' || boot !== 'direct' || fresh || accel !== 'auto')
    throw usageFault(`${kind.name} is not emulated: leave out --image, --boot, --qemu, --accel and --fresh`);
  return { wasmtime };
};

/** The NetManager that the user names for a scenario which takes another one. Throws a usage fault for any other. */
const otherNetManager = async (
  { netManager: file }: ScenarioFlags,
  name: string,
  { otherNetManager: isTaken }: Scenario,
  { architecture }: MachineKind,
): Promise<OtherNetManager | undefined> => {
  if (file === undefined) return undefined;
  if (!isTaken) throw usageFault(`${name} has the lab's own NetManager on each board: leave out --net-manager`);
  return await openNetManager(file, architecture);
};

/** What a failed run of many is repeated without, as it is looked into. */
const ofTheWhole: readonly string[] = ['keep', 'replicates', 'until', 'pause', 'reports', 'json'];

const run = async (name: string, flags: ScenarioFlags, command: Command, context: CommandContext): Promise<void> => {
  checkDeterministicFlags(flags, command);
  const scenarioFile = await findScenario(name);
  const { scenario, name: found } = scenarioFile;
  const kind = machineKind(flags.machine);
  const expectedAnswer = await readExpectedAnswer(flags, name, scenario);
  if (flags.keep && flags.replicates > 1) throw usageFault('--keep keeps one machine: leave out --replicates');
  if (flags.keep && kind.openKept === undefined)
    throw usageFault(`${kind.name} cannot be left running: leave out --keep`);
  if (flags.pause !== undefined && kind.openKept === undefined)
    throw usageFault(`${kind.name} has no shell that could be opened during a run: leave out --pause`);
  if (flags.pause !== undefined && flags.json)
    throw usageFault('--pause and --json exclude each other: what is done in the shell is printed, too');
  const netManager = await otherNetManager(flags, found, scenario, kind);
  const app = flags.app === undefined ? await helloApp() : await openApp(flags.app);
  const machine = machineOptions(flags, kind);
  const given = {
    app: flags.app === undefined ? undefined : app,
    body: flags.expectBodyFile === undefined ? undefined : expectedAnswer?.body,
  };
  if (flags.deterministic)
    return await runDeterministic(
      { found: scenarioFile, kind, machine, app, expectedAnswer, until: flags.until },
      flags,
      (results) => repeatable(results, name, { command, ...given }),
      context,
    );
  await preflight({ kinds: [kind], reports: flags.reports, wasmtime: flags.wasmtime }, context.signal);
  await kind.enter?.(machine, context.signal);
  await reap();
  using progress = showProgress(process.stderr);
  const once = () =>
    runScenario({
      name: found,
      command: ['scenario', name, ...typedOptions(command, ofTheWhole)],
      scenario,
      kind,
      app,
      expectedAnswer,
      machine,
      netManager,
      load: {
        connections: flags.connections,
        duration: flags.duration,
        rate: flags.rate,
        ...(flags.keepAlive ? {} : { keepAlive: false }),
      },
      keep: flags.keep,
      until: flags.until,
      pause: flags.pause,
      signal: context.signal,
      onEvent: progress.event,
    });
  const outcomes: Outcome[] = [];
  while (outcomes.length < flags.replicates && !context.signal.aborted) outcomes.push(await once());
  const { results, files: inputs } = repeatable(joinRuns(outcomes.map((outcome) => outcome.results)), name, {
    command,
    ...given,
  });
  const files = outcomes.find((outcome) => outcome.results.run.id === results.run.id)?.files ?? [];
  const folder = path.join(flags.reports, `${results.run.id}-${found}-${kind.name}`);
  progress[Symbol.dispose]();
  const isWritten = await leaveReport(folder, () => writeReport(folder, results, [...files, ...inputs]));
  if (flags.json) printJson({ ...(isWritten ? { folder } : {}), results });
  const where = isWritten ? { folder: path.relative('', folder) } : {};
  process.stderr.write(`\n${terminal(results, { colours: coloursOf(process.stderr), ...where })}`);
  await tellOfRun(results);
  if (outcomes.some(({ kept }) => kept))
    process.stderr.write(
      `the machine was kept: npm run lab -- shell${(scenario.machines ?? 1) > 1 ? ' --board board-1' : ''}, and npm run lab -- clean --kept when done\n`,
    );
  exitWith(context, results.verdict);
};

export const addScenarioCommand = (program: Command, context: CommandContext): void => {
  const scenario = program
    .command('scenario')
    .description('run a scenario on a machine and leave a report')
    .argument('[name]', 'a scenario by name, or the path of a file that exports one')
    .option('--list', 'list the scenarios', false)
    .option('--machine <name>', `where it runs: ${machineNames.join(', ')}, or a board of your own`, 'virt')
    .option('--connections <n>', 'connections of the load', wholeNumber(1, 1000), 4)
    .option('--duration <s>', 'seconds of load', wholeNumber(1, 3600), 10)
    .option('--rate <n>', 'requests a second, on a fixed schedule', wholeNumber(1, 100_000))
    .option('--no-keep-alive', 'a new connection for every request')
    .option('--replicates <n>', 'how often it runs, each time on a fresh machine', wholeNumber(1, 100), 1)
    .option('--app <file>', 'deploy this wasi:http component');
  addAnswerOptions(scenario)
    .addOption(new Option('--image <kind>', 'what the emulated board boots').choices(imageKinds).default('debian'))
    .option('--wasmtime <version|path>', 'use this wasmtime on the board')
    .addOption(
      new Option('--boot <how>', 'how raspi4b boots: QEMU loads the kernel (direct), or from an SD card image (sd)')
        .choices(bootSources)
        .default('direct'),
    )
    .option('--net-manager <file>', 'the NetManager of the second board, for a scenario that takes another one')
    .option('--qemu <path>', 'use this QEMU in place of the pinned one')
    .addOption(accelOption())
    .option('--fresh', 'boot the emulated board, even where it could be restored from a saved boot', false)
    .option(
      '--deterministic',
      'count instructions, the same ones each time, instead of running against the clock',
      false,
    )
    .option('--seeds <n>', 'deterministic runs with so many seeds, one sample each', wholeNumber(1, 100), 1)
    .option('--verify', 'run each seed twice, and fail where the two differ', false)
    .option('--until <step>', 'end after the step with this name')
    .option('--pause <step>', 'stop after the step with this name, with a shell, and go on when it is left')
    .option('--keep', 'leave the machine running', false)
    .option('--reports <folder>', 'where reports go', defaultReports)
    .option('--json', 'the results as one JSON document on stdout', false)
    .addHelpText(
      'after',
      `
Exit codes: 0 passed, 1 an expectation failed, 2 incomplete, 3 the lab failed, 64 usage, 130 interrupted.

Examples:
  npm run lab -- scenario bridged
  npm run lab -- scenario bridged --fresh
  npm run lab -- scenario bridged --machine virt-x86_64 --accel kvm
  npm run lab -- scenario bridged --connections 16 --duration 30
  npm run lab -- scenario bridged --machine local --rate 500 --connections 64
  npm run lab -- scenario bridged --deterministic --seeds 5
  npm run lab -- scenario bridged --app ./my-service.wasm --expect-body 'hello'
  npm run lab -- scenario overlay-mixed --net-manager ./NetManager
  npm run lab -- scenario bridged --app ./my-service.wasm --path '/time?zone=utc' --any-body
  npm run -s lab -- scenario bridged --json > results.json
  npm run lab -- scenario bridged --machine local --pause 'deploy through the worker'
  npm run lab -- scenario ./my-scenario.ts`,
    )
    .action(async (name: string | undefined, flags: ScenarioFlags, command: Command) => {
      if (flags.list) return list(flags.json);
      if (name === undefined) throw usageFault('name a scenario', ['npm run lab -- scenario --list']);
      return run(name, flags, command, context);
    });
};
