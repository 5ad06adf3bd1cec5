import type { Command } from 'commander';
import { columns } from '../../report/formats/columns.ts';
import { formatValue, plain } from '../../report/formats/wording.ts';
import { loadCounts } from '../../report/model/load-record.ts';
import { ask } from '../../standing/channel.ts';
import { openLab, statusOf } from '../../standing/client.ts';
import type { Answers, Done, LabStatus, LoadSummary } from '../../standing/protocol.ts';
import { usageFault } from '../../system/errors.ts';
import { nearest } from '../../system/nearest.ts';
import { type CommandContext, printJson } from '../context.ts';

/** Counts that are faults when there are any. */
const faults = ['wrongStatus', 'wrongBody', 'errors', 'timeouts'] as const;

const loadWords = ({ counts, rate, latency, performance }: LoadSummary): string => {
  const wrong = faults.flatMap((count) => ((counts[count] ?? 0) > 0 ? [`${loadCounts[count]} ${counts[count]}`] : []));
  const figures = [
    `${formatValue(rate, '1/s')}`,
    ...Object.entries(latency).map(([mark, us]) => `${mark} ${formatValue(us, 'us')}`),
  ];
  const responses = `${loadCounts.responses} ${counts['responses'] ?? 0}`;
  return [responses, ...wrong, ...(performance ? figures : [])].join(', ');
};

const outcome = ({ trouble, load, ports, replicas = 1, component }: Done): string => {
  if (trouble !== undefined) return `failed: ${plain(trouble).split('\n')[0]}`;
  if (load) return loadWords(load);
  if (component === undefined) return '';
  const { name, sha256 } = component;
  return [`${name} ${sha256.slice(0, 12)}`, ports ?? '', ...(replicas > 1 ? [`${replicas} instances`] : [])].join(', ');
};

/** What was done with a lab, for a person. */
export const historyText = (
  { name, machine, topology, started, worker, violations = 0 }: LabStatus,
  { done, forgotten }: Answers['history'],
): string => {
  const failed = done.filter(({ trouble }) => trouble !== undefined).length;
  const kinds = Object.entries(Object.groupBy(done, ({ what }) => what)).map(([what, all]) => `${all.length} ${what}`);
  const rows = done.map((one) => [
    one.at.slice(11, 19),
    one.what,
    one.service,
    formatValue(one.tookMs, 'ms'),
    outcome(one),
  ]);
  return [
    `the lab '${name}' on ${machine} (${topology}), since ${started}, worker ${worker}`,
    ...(rows.length === 0 ? ['nothing was deployed or loaded yet'] : columns(rows).map((row) => `  ${row}`)),
    ...(forgotten === 0 ? [] : [`${forgotten} earlier ones are not remembered`]),
    [...kinds, `${failed} failed`, `${violations} messages against the contract`].join(', '),
  ]
    .map((line) => `${line}\n`)
    .join('');
};

type StandingFlags = { readonly lab?: string; readonly json: boolean };

const tell = async (flags: StandingFlags, { signal }: CommandContext): Promise<void> => {
  const lab = await openLab(flags.lab);
  const status = await statusOf(lab, signal);
  const history = await ask(lab.folder, { do: 'history' }, signal);
  if (flags.json) printJson({ lab: status, ...history });
  else process.stdout.write(historyText(status, history));
};

/** Has `report` alone, without one of its commands, tell of a standing lab. */
export const addStandingReport = (report: Command, context: CommandContext): void => {
  report
    .option('--lab <name>', 'of which standing lab (default: the only one)')
    .option('--json', 'as one JSON document on stdout', false)
    .usage('[options] [command]')
    // a word that is no command comes to the action, which knows what was meant
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
Without a command: what was done with a standing lab.

Examples:
  npm run lab -- report
  npm run lab -- report --lab other --json
  npm run lab -- report show latest`,
    )
    .action((flags: StandingFlags, { args: [word] }: Command) => {
      const names = report.commands.map((command) => command.name());
      if (word !== undefined) throw usageFault(`no command 'report ${word}'${nearest(word, names)}`);
      return tell(flags, context);
    });
};
