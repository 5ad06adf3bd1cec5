import type { Argument, Command, Option } from 'commander';

/** What can be named that only this computer knows. */
export type Named = 'machine' | 'own machine' | 'lab' | 'scenario' | 'report' | 'service';

/** What the word that is typed may become: fixed words, or names of this computer. */
export type Candidates = { readonly words: readonly string[] } | { readonly named: Named };

const nothing: Candidates = { words: [] };

/** Options whose values are names, by what they are called everywhere. */
const namedOptions: Readonly<Record<string, Named>> = { machine: 'machine', lab: 'lab' };

/** Arguments that are names, by their command. */
const namedArguments: Readonly<Record<string, Named>> = {
  scenario: 'scenario',
  suite: 'scenario',
  undeploy: 'service',
  load: 'service',
  logs: 'service',
  'machine remove': 'own machine',
  ...Object.fromEntries(
    ['show', 'diff', 'reproduce', 'verify', 'baseline', 'merge'].map((name) => [`report ${name}`, 'report'] as const),
  ),
};

const takesValue = ({ required, optional }: Option): boolean => required || optional;

/** The options of a command as its help shows them. */
const optionsOf = (command: Command): readonly Option[] => command.createHelp().visibleOptions(command);

const valuesOf = (option: Option): Candidates => {
  if (option.argChoices !== undefined) return { words: option.argChoices };
  const named = namedOptions[option.attributeName()];
  return named === undefined ? nothing : { named };
};

/** The names of a command and of those above it, without the program's own. */
const pathOf = (command: Command): string =>
  command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim();

const argumentOf = (command: Command, index: number): Argument | undefined =>
  command.registeredArguments[index] ?? command.registeredArguments.findLast(({ variadic }) => variadic);

const positional = (command: Command, index: number): Candidates => {
  const commands = command.createHelp().visibleCommands(command);
  if (index === 0 && commands.length > 0) return { words: commands.map((one) => one.name()) };
  const argument = argumentOf(command, index);
  if (argument === undefined) return nothing;
  if (argument.argChoices !== undefined) return { words: argument.argChoices };
  const named = namedArguments[pathOf(command)];
  return named === undefined ? nothing : { named };
};

/**
 * What the last of `words` may become, which are those typed after the program's name; the last one may be empty. Bash
 * makes a word of its own of each `=`.
 */
export const candidatesFor = (program: Command, words: readonly string[]): Candidates => {
  let [command, index, isOver]: [Command, number, boolean] = [program, 0, false];
  let awaiting: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (word === '=' && awaiting) continue;
    if (awaiting) awaiting = undefined;
    else if (isOver) index += 1;
    else if (word === '--') isOver = true;
    else if (word.startsWith('-')) {
      const option = optionsOf(command).find(({ long, short }) => word === long || word === short);
      if (option && takesValue(option)) awaiting = option;
    } else {
      const sub = index === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (sub) command = sub;
      else index += 1;
    }
  }
  const last = words.at(-1) ?? '';
  if (awaiting) return valuesOf(awaiting);
  if (isOver || !last.startsWith('-')) return positional(command, index);
  const [, name] = /^(--[^=]+)=/.exec(last) ?? [];
  const options = optionsOf(command);
  if (name === undefined) return { words: options.flatMap(({ long, short }) => long ?? short ?? []) };
  const given = options.find(({ long }) => long === name);
  return given ? valuesOf(given) : nothing;
};

/** The candidates among `found` that go on from the last word as it is typed, as a shell puts them in its place. */
export const fitting = (found: readonly string[], words: readonly string[]): readonly string[] => {
  const last = words.at(-1) ?? '';
  // bash takes what stands behind the sign for the word
  if (last === '=') return found;
  const [, prefix = '', typed = last] = /^(--[^=]+=)(.*)$/s.exec(last) ?? [];
  return found.filter((one) => one.startsWith(typed)).map((one) => `${prefix}${one}`);
};
