import { Argument, type Command } from 'commander';
import type { AcceleratorChoice } from '../../machine/kind.ts';
import { machineKind, machineNames } from '../../machine/machines.ts';
import { reasonNotRunnable } from '../../scenario/run/run.ts';
import { endedFault } from '../../standing/choose.ts';
import { findLabs, openLab, statusOf } from '../../standing/client.ts';
import { findCluster } from '../../standing/joined/target.ts';
import { launchLab } from '../../standing/launch.ts';
import { defaultLab, labName, nameTakenFault } from '../../standing/registry.ts';
import { messageOf, usageFault } from '../../system/errors.ts';
import { commandLine } from '../../system/quote.ts';
import { accelOption } from '../accel-option.ts';
import type { CommandContext } from '../context.ts';
import { preflight } from '../preflight/preflight.ts';
import { showProgress } from '../progress.ts';
import { describeCluster, type JoinFlags, joinOf } from './join.ts';

type UpFlags = JoinFlags & { readonly machine?: string; readonly accel: AcceleratorChoice; readonly lab: string };

const up = async (topology: string, flags: UpFlags, { signal }: CommandContext): Promise<void> => {
  const name = labName(flags.lab);
  if (flags.publicAddress !== undefined && flags.join === undefined)
    throw usageFault('--public-address says by what other workers of a cluster reach this computer: add --join');
  const kind = machineKind(flags.machine ?? (flags.join === undefined ? 'local' : 'virt'));
  if (flags.accel !== 'auto' && !kind.bootsImages) throw usageFault(`${kind.name} is not emulated: leave out --accel`);
  if (kind.openKept === undefined) throw usageFault(`${kind.name} cannot be left running: choose another machine`);
  if (flags.join !== undefined && !kind.reachesOutside)
    throw usageFault(`a board on ${kind.name} reaches this computer alone, and no cluster can reach it`, [
      commandLine(['npm', 'run', 'lab', '--', 'up', '--machine', 'virt', '--join', flags.join]),
    ]);
  const unable = reasonNotRunnable({ requires: ['nft', 'serve'] }, kind);
  if (unable !== undefined) throw usageFault(`a lab cannot stand on ${kind.name}${unable}`);
  const { join } = joinOf(flags);
  if (join) await findCluster(join.cluster, join.publicAddress, signal);
  await preflight({ kinds: [kind] }, signal);
  const { living, ended } = await findLabs();
  for (const one of ended) process.stderr.write(`${messageOf(endedFault(one))}\n`);
  if (living.some((lab) => lab.name === name)) throw nameTakenFault(name);
  const began = performance.now();
  {
    using progress = showProgress(process.stderr);
    const tell: Parameters<typeof launchLab>[1] = (line) => {
      if (line.kind === 'step-started') progress.event({ ...line, ms: 0, place: 'lab' });
      else if (line.kind === 'step-ended' || line.kind === 'progress') progress.event({ ...line, ms: 0 });
    };
    await launchLab({ name, topology, machine: kind.name, accel: flags.accel, join }, tell, signal);
  }
  const { cluster } = await statusOf(await openLab(name), signal);
  const which = name === defaultLab ? [] : ['--lab', name];
  const next = [...(cluster ? [] : [['deploy', ...which, './my-service.wasm']]), ['ls'], ['down', ...which]];
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  process.stdout.write(
    `the lab '${name}' stands on ${kind.name} (${topology}), after ${seconds} s\n` +
      (cluster ? describeCluster(cluster) : '') +
      next.map((words) => `  npm run lab -- ${commandLine(words)}\n`).join(''),
  );
};

export const addUpCommand = (program: Command, context: CommandContext): void => {
  program
    .command('up')
    .description('start a board with a worker and a cluster, and leave them standing to deploy into')
    .addArgument(
      new Argument('[topology]', 'how instances are joined to the board')
        .choices(['bridged', 'veth'])
        .default('bridged'),
    )
    .option('--machine <name>', `where: ${machineNames.join(', ')} (default: local, and virt with --join)`)
    .addOption(accelOption())
    .option('--join <host[:port]>', 'serve an Oakestra cluster that exists already, in place of one of its own')
    .option('--public-address <address>', 'with --join: the address by which its other workers reach this computer')
    .option('--lab <name>', 'the name of the lab, when you start more than one', defaultLab)
    .addHelpText(
      'after',
      `
Examples:
  npm run lab -- up
  npm run lab -- up veth --machine virt
  npm run lab -- up --lab other
  npm run lab -- up --join cluster.example.org
  npm run lab -- up --join 192.168.1.20:10100 --public-address 203.0.113.7`,
    )
    .action((topology: string, flags: UpFlags) => up(topology, flags, context));
};
