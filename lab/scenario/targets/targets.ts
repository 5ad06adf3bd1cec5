import { execa } from 'execa';
import type { Machine } from '../../machine/machine.ts';
import type { Place } from '../../report/model/results.ts';
import { placeOf } from '../../report/model/text.ts';
import { type Answer, answerOf } from './answer.ts';
import type { Emit } from './events.ts';
import { getOverHttp, requestMs } from './get.ts';
import { bindShell, type ScriptRun, type Shell } from './shell.ts';

/** Where a step runs: commands by `$` and HTTP requests by `get` start there. */
export type ExecTarget = {
  readonly place: Place;
  /** Whose namespace it is, inside of an instance. */
  readonly task?: string;
  /** Which board it is on, of several. */
  readonly board?: string | undefined;
  readonly $: Shell;
  /** One GET request; rejects when there is no answer within `timeoutMs` (default 10 s, scaled to the machine). */
  readonly get: (url: string, timeoutMs?: number) => Promise<Answer>;
  /** Runs a program there; only on the board and in its namespaces. */
  readonly exec?: Machine['exec'];
};

/**
 * What `curl --include` prints, one byte a character (latin1), taken apart: after interim answers comes the one that
 * counts. Throws when it is no HTTP answer.
 */
export const parseCurl = (text: string): Answer => {
  const end = text.indexOf('\r\n\r\n');
  const [head, ...lines] = text.slice(0, end).split('\r\n');
  const status = /^HTTP\/\S+ (?<code>\d{3})/.exec(head ?? '')?.groups?.['code'];
  if (end < 0 || status === undefined) throw new Error(`not an HTTP answer: ${text.slice(0, 200)}`);
  if (status.startsWith('1')) return parseCurl(text.slice(end + 4));
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return answerOf(Number(status), Object.fromEntries(headers), Buffer.from(text.slice(end + 4), 'latin1'));
};

const onMachine = (
  machine: Machine,
  place: Place,
  enter: readonly string[],
  emit: Emit,
  signal: AbortSignal,
  board: string | undefined,
): ExecTarget => {
  const named = board === undefined ? {} : { board };
  const run: ScriptRun = (script, ends) =>
    machine.exec([...enter, 'sh', '-c', script], { signal: AbortSignal.any([signal, ends]) });
  return {
    place,
    ...named,
    exec: (argv, options) => machine.exec([...enter, ...argv], options),
    $: bindShell(run, (typed) => emit({ kind: 'command', place, ...named, typed })),
    get: async (url, timeoutMs = requestMs * machine.timeoutFactor) => {
      const curl = ['curl', '--silent', '--show-error', '--include', '--max-time', String(timeoutMs / 1000), url];
      const { code, stdout, stderr } = await machine.exec([...enter, ...curl], { signal, encoding: 'latin1' });
      if (code !== 0)
        throw new Error(
          `GET ${url} on the ${placeOf({ place, board })}: ${stderr.trim() || `curl ended with ${code}`}`,
        );
      return parseCurl(stdout);
    },
  };
};

/** The board itself; `name` says which of several it is. */
export const boardTarget = (machine: Machine, emit: Emit, signal: AbortSignal, name?: string): ExecTarget =>
  onMachine(machine, 'board', [], emit, signal, name);

/** Inside the network namespace of an instance; `name` says on which of several boards. */
export const instanceTarget = (
  machine: Machine,
  task: string,
  emit: Emit,
  signal: AbortSignal,
  name?: string,
): ExecTarget => ({
  ...onMachine(machine, 'instance', ['ip', 'netns', 'exec', task], emit, signal, name),
  task,
});

/** This side of the uplink: the computer that the lab runs on. */
export const labTarget = (machine: Machine, emit: Emit, signal: AbortSignal): ExecTarget => ({
  place: 'lab',
  $: bindShell(
    async (script, ends) => {
      const { exitCode, stdout, stderr } = await execa('/bin/sh', ['-c', script], {
        reject: false,
        stdin: 'ignore',
        stripFinalNewline: false,
        cancelSignal: AbortSignal.any([signal, ends]),
      });
      return { code: exitCode ?? 255, stdout, stderr };
    },
    (typed) => emit({ kind: 'command', place: 'lab', typed }),
  ),
  get: (url, timeoutMs = requestMs * machine.timeoutFactor) =>
    getOverHttp(url, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])),
});
