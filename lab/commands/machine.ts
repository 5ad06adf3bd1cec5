import type { Command } from 'commander';
import {
  type MachineDefinition,
  machineFile,
  ownMachines,
  readMachine,
  removeMachine,
  saveMachine,
} from '../machine/hardware/definition.ts';
import { placeOf } from '../machine/hardware/resolve.ts';
import { machineNames } from '../machine/machines.ts';
import { messageOf, usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import { type CommandContext, printJson, wholeNumber } from './context.ts';

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

type AddFlags = Omit<MachineDefinition, 'labgrid'> & { readonly labgrid?: string };

/** A place by its name, or any that has some tags, as labgrid's own client writes them. */
const labgridOf = (text: string): NonNullable<MachineDefinition['labgrid']> => {
  const tags = words(text).map((word) => /^([^=]+)=(.+)$/.exec(word)?.slice(1) ?? []);
  if (tags.some(({ length }) => length === 0) || tags.length === 0) return text;
  return { tags: Object.fromEntries(tags) };
};

const add = (name: string, { labgrid, ...flags }: AddFlags): void => {
  if (machineNames.includes(name)) throw usageFault(`${name} is a machine of the lab's own: take another name`);
  if (readMachine(name))
    throw usageFault(`there is a machine ${name} already: ${machineFile(name)}`, [
      `npm run lab -- machine remove ${name}`,
    ]);
  if (flags.ssh === undefined && labgrid === undefined)
    throw usageFault(`say how ${name} is reached: --ssh USER@HOST or --labgrid PLACE`);
  const file = saveMachine(name, { ...flags, ...(labgrid === undefined ? {} : { labgrid: labgridOf(labgrid) }) });
  process.stdout.write(
    `${name}: ${file}\n  npm run lab -- doctor --machine ${name}\n  npm run lab -- scenario bridged --machine ${name}\n`,
  );
};

const line = (machine: MachineDefinition): string => {
  const { ssh, labgrid, serial, powerCycle } = machine;
  return [
    ...(ssh === undefined ? [] : [ssh]),
    ...(labgrid === undefined ? [] : [`labgrid ${placeOf(machine)}`]),
    ...(serial === undefined ? [] : [`serial ${serial}`]),
    ...(powerCycle ? [`power ${powerCycle[0]}`] : []),
  ].join(', ');
};

/** A bad machine file is said in its line: the others are listed all the same. */
const list = ({ json }: { readonly json: boolean }): void => {
  const machines = ownMachines().flatMap((name) => {
    try {
      const definition = readMachine(name);
      return definition ? [{ name, ...definition }] : [];
    } catch (error) {
      process.stderr.write(`${messageOf(error)}\n`);
      return [];
    }
  });
  if (json) printJson(machines);
  else for (const machine of machines) process.stdout.write(`${machine.name.padEnd(12)} ${line(machine)}\n`);
  if (machines.length === 0)
    process.stderr.write(`no machine was added; the lab's own are ${machineNames.join(', ')}\n`);
};

const remove = (name: string): void => {
  if (!ownMachines().includes(name)) throw usageFault(`no machine '${name}'${nearest(name, ownMachines())}`);
  removeMachine(name);
  process.stdout.write(`removed ${name} and its host key\n`);
};

export const addMachineCommand = (program: Command, _context: CommandContext): void => {
  const machine = program
    .command('machine')
    .description('add, list and remove boards of your own that ssh or labgrid reaches');
  machine
    .command('add')
    .description('register a board, so that --machine takes its name')
    .argument('<name>', 'what you call it')
    .option('--ssh <user@host>', 'how ssh reaches it, as root or as a user with passwordless sudo')
    .option('--labgrid <place>', 'the labgrid place that it belongs to, or tags of one as KEY=VALUE, by spaces')
    .option('--port <n>', "ssh's port there", wholeNumber(1, 65_535))
    .option('--identity <file>', 'the private key, if ssh does not find it')
    .option('--architecture <name>', 'processor architecture: aarch64 or x86_64 (default: aarch64)')
    .option('--serial <device>', 'the device of its serial console, 115200 baud')
    .option(
      '--power-cycle <command>',
      'a program that takes its power and gives it back, and arguments, by spaces',
      words,
    )
    .addHelpText(
      'after',
      `
Examples:
  npm run lab -- machine add pi4 --ssh root@oakestra-raspi4.local
  npm run lab -- machine add pi4 --ssh 'pi@[fe80::1%eth0]:2222'
  npm run lab -- machine add pi4 --ssh root@192.168.1.40 --serial /dev/ttyUSB0 --power-cycle 'uhubctl -l 1-1 -p 2 -a cycle'
  npm run lab -- machine add pi4 --labgrid pi4-1
  npm run lab -- machine add any-pi4 --labgrid 'board=raspi4 site=lab1'`,
    )
    .action(add);
  machine
    .command('list')
    .description('list your boards')
    .option('--json', 'as one JSON document on stdout', false)
    .action(list);
  machine
    .command('remove')
    .description('remove a board and its host key')
    .argument('<name>', 'as machine list shows it')
    .action(remove);
};
