import type { Command } from 'commander';
import type { AcceleratorChoice } from '../../machine/kind.ts';
import { machineKind } from '../../machine/machines.ts';
import type { NetworkSpec } from '../../scenario/scenario.ts';
import { troubleOf } from '../../standing/channel.ts';
import { processCommand } from '../../standing/launch.ts';
import type { StartLine } from '../../standing/protocol.ts';
import { standLab } from '../../standing/standing-lab.ts';
import type { CommandContext } from '../context.ts';
import { joinOf } from './join.ts';

type ProcessFlags = {
  readonly machine: string;
  readonly accel: AcceleratorChoice;
  readonly lab: string;
  readonly id: string;
  readonly join?: string;
  readonly publicAddress?: string;
};

/** The process of a standing lab: says on stdout how far it is, until it stands, and stays. */
const standing = async (topology: NetworkSpec['topology'], flags: ProcessFlags, { signal }: CommandContext) => {
  const say = (line: StartLine) => process.stdout.write(`${JSON.stringify(line)}\n`);
  try {
    const kind = machineKind(flags.machine);
    await kind.enter?.({}, signal);
    await standLab({
      ...{ name: flags.lab, id: flags.id, topology, kind, accel: flags.accel, signal },
      ...joinOf(flags),
      emit: (event) => {
        if (event.kind === 'step-started') say({ kind: 'step-started', step: event.step });
        else if (event.kind === 'step-ended')
          say({ kind: 'step-ended', step: event.step, verdict: event.verdict, tookMs: event.tookMs });
        else if (event.kind === 'progress' || event.kind === 'note') say({ kind: 'progress', text: event.text });
      },
      onStanding: () => say({ kind: 'standing' }),
    });
  } catch (error) {
    say({ kind: 'failed', trouble: troubleOf(error) });
    throw error;
  }
};

/** Adds the command that `up` starts; nobody types it. */
export const addProcessCommand = (program: Command, context: CommandContext): void => {
  program
    .command(processCommand, { hidden: true })
    .argument('<topology>')
    .requiredOption('--machine <name>')
    .requiredOption('--accel <how>')
    .requiredOption('--lab <name>')
    .requiredOption('--id <id>')
    .option('--join <cluster>')
    .option('--public-address <address>')
    .action((topology: NetworkSpec['topology'], flags: ProcessFlags) => standing(topology, flags, context));
};
