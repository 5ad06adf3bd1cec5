import type { Command } from 'commander';
import { columns } from '../../report/formats/columns.ts';
import { formatValue, plain } from '../../report/formats/wording.ts';
import { endedFault } from '../../standing/choose.ts';
import { findLabs, reachable, statusOf } from '../../standing/client.ts';
import type { LabStatus } from '../../standing/protocol.ts';
import type { LabRecord } from '../../standing/registry.ts';
import { messageOf } from '../../system/errors.ts';
import { keptRuns } from '../../system/runs.ts';
import { type CommandContext, printJson } from '../context.ts';
import { describeCluster } from './join.ts';

/** How a lab is, or why it cannot be asked. */
type Listed = { readonly lab: LabRecord; readonly status?: LabStatus; readonly trouble?: string };

const look = async (lab: LabRecord, signal: AbortSignal): Promise<Listed> => {
  try {
    return { lab, status: await statusOf(reachable(lab), signal) };
  } catch (error) {
    signal.throwIfAborted();
    return { lab, trouble: messageOf(error) };
  }
};

const rowsOf = ({ services }: LabStatus): readonly (readonly string[])[] =>
  services.flatMap(({ service, component = '-', ports, address = '-', instances }) =>
    instances.map(({ instance, state, detail, memory }) => [
      `  ${service}`,
      String(instance),
      detail === '' ? state : `${state}: ${plain(detail).split('\n')[0]}`,
      memory === undefined ? '-' : formatValue(memory, 'bytes'),
      address,
      ports,
      component,
    ]),
  );

const describe = ({ lab, status, trouble }: Listed): string => {
  const head = `${lab.name} on ${lab.machine}`;
  if (status === undefined) return `${head}: ${trouble}\n`;
  const { topology, worker, violations = 0, cluster, started } = status;
  const up = formatValue((Date.now() - Date.parse(started)) / 1000, 's');
  const said = violations === 0 ? '' : `, ${violations} messages against the contract`;
  const rows = rowsOf(status);
  const title = ['  SERVICE', '#', 'STATE', 'MEMORY', 'ADDRESS', 'PORTS', 'COMPONENT'];
  const table = rows.length === 0 ? ['  no services'] : columns([title, ...rows]);
  return `${head} (${topology}), for ${up}, worker ${worker}${said}\n${cluster ? describeCluster(cluster) : ''}${table.join('\n')}\n`;
};

const list = async ({ json }: { readonly json: boolean }, { signal }: CommandContext): Promise<void> => {
  const { living, ended } = await findLabs();
  const kept = await keptRuns();
  const labs = await Promise.all(living.map((lab) => look(lab, signal)));
  for (const one of ended) process.stderr.write(`${messageOf(endedFault(one))}\n`);
  if (json)
    return printJson({
      labs: labs.map(({ lab: { name, machine, id }, status, trouble }) => status ?? { name, machine, id, trouble }),
      ended,
      kept: kept.map(({ id, what }) => ({ id, what })),
    });
  process.stdout.write(labs.map(describe).join(''));
  for (const { id, what } of kept) process.stdout.write(`${id} (${what}), kept by a run\n`);
  if (labs.length + kept.length === 0) process.stderr.write('no lab stands: npm run lab -- up\n');
};

export const addLsCommand = (program: Command, context: CommandContext): void => {
  program
    .command('ls')
    .description('list standing labs with their services, and kept machines')
    .option('--json', 'as one JSON document on stdout', false)
    .addHelpText('after', '\nExamples:\n  npm run lab -- ls\n  npm run -s lab -- ls --json')
    .action((flags: { readonly json: boolean }) => list(flags, context));
};
