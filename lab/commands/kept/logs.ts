import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { KeptMachine } from '../../machine/kept.ts';
import { serviceNameOf, shortName } from '../../standing/names.ts';
import { labFault } from '../../system/errors.ts';
import type { CommandContext } from '../context.ts';
import { addBoardOptions, type BoardFlags, openBoard } from './board.ts';

const folder = '/var/log/oakestra';
const followMs = 500;

type LogsFlags = BoardFlags & { readonly follow: boolean };

/** Begins of the names of log files: a word may be a service of a lab, or the begin of a file's name itself. */
const beginnings = (name: string | undefined): readonly string[] => {
  if (name === undefined) return [''];
  return shortName(name) === '' ? [name] : [name, `${serviceNameOf(name)}.instance.`];
};

/** find(1)'s arguments for log files whose names begin so. */
const selected = (name: string | undefined): readonly string[] => {
  const names = beginnings(name).flatMap((begin) => ['-o', '-name', `${begin.replace(/[[\]*?\\]/g, '\\$&')}*`]);
  return ['find', folder, '-type', 'f', '(', ...names.slice(1), ')'];
};

const print = async (machine: KeptMachine, name: string | undefined, { signal, exit }: CommandContext) => {
  const argv = [...selected(name), '-exec', 'tail', '-n', '+1', '{}', '+'];
  const { code, stdout, stderr } = await machine.exec(argv, signal);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  exit(code === 0 ? 0 : 3);
};

/** Prints how long a file is now, and what of it comes after so many bytes; all of it when it has become shorter. */
const script = `
size=$(wc -c <"$1") || exit 1
[ "$size" -ge "$2" ] || set -- "$1" 0
echo "$size"
tail -c "+$(($2 + 1))" "$1" | head -c "$((size - $2))"
`;

/** Prints what is in the files and what is added to them, each piece below the name of its file where that changes. */
const follow = async (machine: KeptMachine, name: string | undefined, signal: AbortSignal): Promise<never> => {
  const seen = new Map<string, number>();
  let last = '';
  for (;;) {
    const { code, stdout, stderr } = await machine.exec(selected(name), signal);
    if (code !== 0) throw labFault(`the board's logs cannot be listed: ${stderr.trim()}`);
    for (const file of stdout.split('\n').filter((line) => line !== '')) {
      const read = await machine.exec(['sh', '-c', script, 'sh', file, `${seen.get(file) ?? 0}`], signal);
      // it has been removed meanwhile
      if (read.code !== 0) continue;
      const end = read.stdout.indexOf('\n');
      seen.set(file, Number(read.stdout.slice(0, end)));
      const text = read.stdout.slice(end + 1);
      if (text === '') continue;
      if (file !== last) process.stdout.write(`==> ${file} <==\n`);
      last = file;
      process.stdout.write(text);
    }
    await pause(followMs, undefined, { signal });
  }
};

const logs = async (name: string | undefined, flags: LogsFlags, context: CommandContext) => {
  const { machine } = await openBoard(flags);
  if (flags.follow) await follow(machine, name, context.signal);
  else await print(machine, name, context);
};

export const addLogsCommand = (program: Command, context: CommandContext): void => {
  const command = program
    .command('logs')
    .description('print the logs of a standing lab or of a kept machine')
    .argument('[name]', 'only those of a service, or those that begin with this: NetManager, NodeEngine, a task')
    .option('-f, --follow', 'print new lines as they come, until Ctrl-C', false);
  addBoardOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run lab -- logs\n  npm run lab -- logs NodeEngine\n  npm run lab -- logs -f my-service',
    )
    .action((name: string | undefined, flags: LogsFlags) => logs(name, flags, context));
};
