import fs from 'node:fs/promises';
import { Argument, type Command } from 'commander';
import { ownMachines } from '../../machine/hardware/definition.ts';
import { machineNames } from '../../machine/machines.ts';
import { scenarioNames } from '../../scenario/find.ts';
import { ask } from '../../standing/channel.ts';
import { registeredLabs } from '../../standing/registry.ts';
import { type CommandContext, defaultReports } from '../context.ts';
import { candidatesFor, fitting, type Named } from './candidates.ts';
import { completionScript, shells } from './scripts.ts';

/** Whoever has pressed a key does not wait any longer, in ms. */
const patienceMs = 2000;

const labs = async () => (await registeredLabs()).filter(({ living }) => living);

/** The services of all labs that stand; of one that does not answer none. */
const services = async (signal: AbortSignal): Promise<readonly string[]> => {
  const asked = await Promise.allSettled((await labs()).map(({ folder }) => ask(folder, { do: 'status' }, signal)));
  return asked.flatMap((one) => (one.status === 'fulfilled' ? one.value.services.map(({ service }) => service) : []));
};

const names: Readonly<Record<Named, (signal: AbortSignal) => Promise<readonly string[]>>> = {
  machine: async () => [...machineNames, ...ownMachines()],
  'own machine': async () => ownMachines(),
  lab: async () => (await labs()).map(({ name }) => name),
  scenario: scenarioNames,
  report: async () => (await fs.readdir(defaultReports)).filter((name) => /^\d{8}T|^latest$/.test(name)),
  service: services,
};

/** Prints what the last word may become, one a line; nothing where that is a file or anything else. */
const complete = async (program: Command, words: readonly string[], { signal }: CommandContext): Promise<void> => {
  const found = candidatesFor(program, words);
  const ends = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const all = 'words' in found ? found.words : await names[found.named](ends).catch(() => []);
  process.stdout.write(
    fitting(all, words)
      .map((word) => `${word}\n`)
      .join(''),
  );
};

export const addCompletionCommand = (program: Command, context: CommandContext): void => {
  program
    .command('completion')
    .description('print a script by which a shell knows the command lab, and completes what is typed after it')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      `
Commands and options are completed, and names of machines, scenarios, reports, labs and services.

Examples:
  source <(npm run -s lab -- completion bash)
  source <(npm run -s lab -- completion zsh)
  npm run -s lab -- completion fish | source`,
    )
    .action((shell: string) => {
      process.stdout.write(completionScript(shell, [process.execPath, process.argv[1] ?? '']));
    });
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action((words: readonly string[]) => complete(program, words, context));
};
