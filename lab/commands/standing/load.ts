import { type Command, InvalidArgumentError } from 'commander';
import { runLoad } from '../../load/load.ts';
import { columns } from '../../report/formats/columns.ts';
import { formatValue } from '../../report/formats/wording.ts';
import { loadCounts, recordLoad } from '../../report/model/load-record.ts';
import { getOverHttp, requestMs } from '../../scenario/targets/get.ts';
import { ask } from '../../standing/channel.ts';
import { openLab } from '../../standing/client.ts';
import { expectedByAsking, summarize } from '../../standing/load.ts';
import type { LoadSummary } from '../../standing/protocol.ts';
import { exitCodes, LabError, messageOf, usageFault } from '../../system/errors.ts';
import { deadline } from '../../system/wait.ts';
import { requestPath } from '../answer.ts';
import { type CommandContext, printJson, wholeNumber } from '../context.ts';

const warmUpMs = 500;

type LoadFlags = {
  readonly lab?: string;
  readonly path?: string;
  readonly connections: number;
  readonly duration: number;
  readonly rate?: number;
  readonly json: boolean;
};

const isUrl = (target: string): boolean => /^[a-z]+:\/\//i.test(target);

/** Loads a URL from this process, which reaches it as everything else on this computer does. */
const loadUrl = async (url: string, { connections, duration, rate }: LoadFlags, signal: AbortSignal) => {
  const get = () => getOverHttp(url, deadline(requestMs, 'the first response', signal));
  const expect = await expectedByAsking(get).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new LabError(messageOf(error), {
      fault: 'incomplete',
      next: ['npm run lab -- ls shows where services answer'],
    });
  });
  const result = await runLoad({
    ...{ url, connections, perSecond: rate, durationMs: duration * 1000, warmUpMs, timeoutMs: requestMs },
    ...{ expect, keepAlive: true, signal },
  });
  const { notes } = recordLoad({ name: url, where: 'lab', fidelity: 'native' }, result);
  const open = expect.body === undefined ? ['any body was accepted: the first two differed'] : [];
  return summarize(url, result, { notes: [...notes, ...open], performance: true });
};

const loadService = async (service: string, flags: LoadFlags, signal: AbortSignal): Promise<LoadSummary> => {
  const { folder } = await openLab(flags.lab);
  const { path = '/', connections, duration: seconds, rate } = flags;
  const how = { path, connections, seconds, ...(rate === undefined ? {} : { rate }) };
  return await ask(folder, { do: 'load', service, ...how }, signal);
};

const describe = ({ url, counts, rate, latency, cpu, performance, notes }: LoadSummary): string => {
  const figures = [
    ...Object.entries(latency).map(([mark, us]) => `${mark} ${formatValue(us, 'us')}`),
    `${formatValue(rate, '1/s')}`,
    ...(cpu === undefined ? [] : [`CPU per request ${formatValue(cpu, 'us')}`]),
  ];
  return [
    url,
    ...columns([Object.entries(loadCounts).map(([count, words]) => `${words} ${counts[count] ?? 0}`)]),
    figures.join('  '),
    ...(performance ? [] : ['Timings from an emulator are not performance measurements; counts are valid.']),
    ...notes,
  ]
    .map((line) => `${line}\n`)
    .join('');
};

const load = async (target: string, flags: LoadFlags, { signal, exit }: CommandContext): Promise<void> => {
  if (isUrl(target) && (flags.path !== undefined || flags.lab !== undefined))
    throw usageFault('a URL says all by itself: leave out --path and --lab');
  if (isUrl(target) && (!URL.canParse(target) || new URL(target).protocol !== 'http:'))
    throw usageFault(`'${target}' is no http URL`);
  process.stderr.write(`loading ${target} for ${flags.duration} s\n`);
  const summary = await (isUrl(target) ? loadUrl(target, flags, signal) : loadService(target, flags, signal));
  if (flags.json) printJson(summary);
  else process.stdout.write(describe(summary));
  const { responses = 0, wrongStatus = 0, wrongBody = 0, errors = 0, timeouts = 0 } = summary.counts;
  exit(responses > 0 && wrongStatus + wrongBody + errors + timeouts === 0 ? exitCodes.passed : exitCodes.failed);
};

const target = (text: string): string => {
  if (text !== '') return text;
  throw new InvalidArgumentError('It takes a service or a URL.');
};

export const addLoadCommand = (program: Command, context: CommandContext): void => {
  program
    .command('load')
    .description('load a service of a standing lab, or a URL, and print counts and latencies')
    .argument('<target>', 'a service as ls shows it, loaded from the lab, or an http URL, loaded from here', target)
    .option('--lab <name>', 'which lab (default: the only one)')
    .option('--path <path>', 'the request path (default: /)', requestPath)
    .option('--connections <n>', 'connections', wholeNumber(1, 1000), 4)
    .option('--duration <s>', 'seconds', wholeNumber(1, 3600), 10)
    .option('--rate <n>', 'requests a second, on a fixed schedule', wholeNumber(1, 100_000))
    .option('--json', 'the outcome as one JSON document on stdout', false)
    .addHelpText(
      'after',
      `
All responses are expected to be like the first one. Exit codes: 0 they are, 1 some are not,
2 the first request has no response.

Examples:
  npm run lab -- load my-service
  npm run lab -- load my-service --path /items --rate 200 --duration 30
  npm run lab -- load http://127.0.0.1:8080/`,
    )
    .action((what: string, flags: LoadFlags) => load(what, flags, context));
};
