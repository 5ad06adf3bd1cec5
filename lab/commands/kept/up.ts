import { Argument, type Command } from 'commander';
import { machineKind, machineNames, openKept } from '../../machine/machines.ts';
import { terminal } from '../../report/formats/terminal.ts';
import { runScenario } from '../../scenario/run/run.ts';
import { scenario } from '../../scenario/scenario.ts';
import { labFault, usageFault } from '../../system/errors.ts';
import { keptRuns, reapRuns, removeRun } from '../../system/runs.ts';
import { helloApp } from '../../wasm/app.ts';
import { type CommandContext, exitWith } from '../context.ts';
import { preflight } from '../preflight/preflight.ts';
import { coloursOf, showProgress } from '../progress.ts';
import { keptBoard, keptRun } from './kept.ts';

type Topology = 'bridged' | 'veth';

/** A board with the worker and one service on it, and nothing tested. */
const standing = (topology: Topology) =>
  scenario({
    description: 'A machine for manual inspection.',
    requires: ['nft', 'serve'],
    network: { topology, subnet: '10.10.0.0', subnet6: 'fd00:10::' },
    run: async ({ step, lab, deploy }) => {
      await step('deploy a service', lab, () => deploy({ port: '8080:80' }));
    },
  });

const up = async (topology: Topology, flags: { readonly machine: string }, context: CommandContext) => {
  const kind = machineKind(flags.machine);
  if (kind.openKept === undefined) throw usageFault(`${kind.name} cannot be left running: choose another machine`);
  await preflight({ kinds: [kind] }, context.signal);
  await kind.enter?.({}, context.signal);
  await reapRuns();
  using progress = showProgress(process.stderr);
  const { results } = await runScenario({
    name: 'up',
    command: ['up'],
    scenario: standing(topology),
    kind,
    app: await helloApp(),
    machine: {},
    load: { connections: 1, duration: 1 },
    keep: true,
    signal: context.signal,
    onEvent: progress.event,
  });
  progress[Symbol.dispose]();
  if (results.verdict !== 'passed') process.stderr.write(terminal(results, { colours: coloursOf(process.stderr) }));
  else
    process.stdout.write(
      `${results.run.id} is running with one service; the cluster stand-in has stopped\n` +
        '  npm run lab -- shell\n  npm run lab -- logs\n  npm run lab -- down\n',
    );
  exitWith(context, results.verdict);
};

type LogsFlags = { readonly id?: string; readonly board?: string };

const logs = async (name: string | undefined, flags: LogsFlags, { signal, exit }: CommandContext) => {
  const { folder } = await keptBoard(flags.id, flags.board);
  const machine = await openKept(folder);
  const which = name === undefined ? [] : ['-name', `${name}*`];
  const printing = ['-exec', 'tail', '-n', '+1', '{}', '+'];
  const argv = ['find', '/var/log/oakestra', '-type', 'f', ...which, ...printing];
  const { code, stdout, stderr } = await machine.exec(argv, signal);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  exit(code === 0 ? 0 : 3);
};

const down = async (flags: { readonly id?: string }) => {
  const kept = await keptRuns();
  // other checkouts share the cache: which of several is nobody's to guess
  if (flags.id === undefined && kept.length > 1)
    throw usageFault(`${kept.length} machines are kept: name one of them`, [
      ...kept.map(({ id, what }) => `npm run lab -- down --id ${id}   # ${what}`),
      'npm run lab -- clean --kept',
    ]);
  const run = await keptRun(flags.id);
  if (!(await removeRun(run)))
    throw labFault(`${run.id} (${run.what}) cannot be ended from here: it is in another container`, [
      `npm run lab -- down --id ${run.id}, on the host ${run.host}`,
    ]);
  process.stdout.write(`ended ${run.id} (${run.what})\n`);
};

export const addUpCommands = (program: Command, context: CommandContext): void => {
  program
    .command('up')
    .description('start a machine with the worker and one service on it, and leave it running')
    .addArgument(new Argument('[topology]').choices(['bridged', 'veth']).default('bridged'))
    .option('--machine <name>', `where: ${machineNames.join(', ')}`, 'local')
    .addHelpText('after', '\nExamples:\n  npm run lab -- up\n  npm run lab -- up veth --machine virt')
    .action((topology: Topology, flags: { readonly machine: string }) => up(topology, flags, context));
  program
    .command('logs')
    .description('print the logs of a kept machine')
    .argument('[name]', 'only logs that begin with this: NetManager, NodeEngine, a task')
    .option('--id <id>', 'which machine (default: the newest)')
    .option('--board <name>', 'which board, of several: board-1, board-2, …')
    .addHelpText('after', '\nExamples:\n  npm run lab -- logs\n  npm run lab -- logs NodeEngine')
    .action((name: string | undefined, flags: LogsFlags) => logs(name, flags, context));
  program
    .command('down')
    .description('stop a kept machine')
    .option('--id <id>', 'which machine (may be left out where one alone is kept)')
    .addHelpText('after', '\nExamples:\n  npm run lab -- down')
    .action(down);
};
