import type { Command } from 'commander';
import { ask } from '../../standing/channel.ts';
import { openLab } from '../../standing/client.ts';
import type { CommandContext } from '../context.ts';

type UndeployFlags = { readonly lab?: string };

const undeploy = async (service: string, flags: UndeployFlags, { signal }: CommandContext): Promise<void> => {
  const { folder } = await openLab(flags.lab);
  const { service: name, tookMs } = await ask(folder, { do: 'undeploy', service }, signal);
  process.stdout.write(`${name} undeployed in ${(tookMs / 1000).toFixed(2)} s\n`);
};

export const addUndeployCommand = (program: Command, context: CommandContext): void => {
  program
    .command('undeploy')
    .description('remove a service from a standing lab')
    .argument('<service>', 'its name, as ls shows it')
    .option('--lab <name>', 'which lab (default: the only one)')
    .addHelpText('after', '\nExamples:\n  npm run lab -- undeploy my-service')
    .action((service: string, flags: UndeployFlags) => undeploy(service, flags, context));
};
