import type { Command } from 'commander';
import t from 'tap';
import { labProgram } from '../../../lab/commands/commands.ts';
import { labWorld } from '../../support/lab.ts';

const program = labProgram({ signal: new AbortController().signal, exit: () => {} });

/** A command and all below it that its help names. */
const shown = (command: Command): readonly Command[] => [
  command,
  ...command
    .createHelp()
    .visibleCommands(command)
    .flatMap((one) => (one.parent === null ? [] : shown(one))),
];

const nameOf = (command: Command): string =>
  command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;

t.test('the help of every command says what each of its words and options is for', async (t) => {
  const commands = shown(program);
  t.ok(commands.length > 30, 'the commands are found');
  for (const command of commands) {
    const help = command.createHelp();
    const parts = [
      ...command.registeredArguments.map((one) => [one.name(), help.argumentDescription(one)] as const),
      ...help.visibleOptions(command).map((one) => [one.flags, help.optionDescription(one)] as const),
      ['itself', command.description()] as const,
    ];
    t.strictSame(
      parts.filter(([, text]) => text === '' || text.startsWith('(')).map(([name]) => name),
      [],
      nameOf(command),
    );
    t.notMatch(command.helpInformation(), /\[none\]|undefined|default: (?:false|true|\[\]|""|\))/, nameOf(command));
  }
});

t.test('a default and the choices of an option are said once', async (t) => {
  const textOf = (path: readonly string[], flag: string): string => {
    let command = program;
    for (const name of path) command = command.commands.find((one) => one.name() === name) ?? command;
    const option = command.options.find(({ long }) => long === flag);
    return option ? command.createHelp().optionDescription(option) : '';
  };
  t.equal(textOf(['scenario'], '--connections'), 'connections of the load (default: 4)');
  t.equal(textOf(['scenario'], '--image'), 'what the emulated board boots (debian, buildroot; default: debian)');
  t.equal(textOf(['scenario'], '--no-keep-alive'), 'a new connection for every request');
  t.equal(textOf(['deploy'], '--env'), 'a variable of its environment, may be repeated');
  t.equal(textOf(['report', 'list'], '--reverse'), 'the other way round');
});

t.test('report is shown with its commands, and takes no other word', async (t) => {
  await using world = await labWorld();
  const { code, stdout } = await world.run(['--help']);
  t.equal(code, 0);
  t.match(stdout, /^ {2}report \[options\] {2,}show, list, compare/m);
  const wrong = await world.run(['report', 'latest']);
  t.equal(wrong.code, 64);
  t.match(wrong.stderr, /no command 'report latest'/);
});
