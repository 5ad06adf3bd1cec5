import { parse, parseJson } from '../../../worker/contract/check.ts';
import type { CountedGuest } from '../../machine/kind.ts';
import type { ExtraFile } from '../../report/folder.ts';
import { Results } from '../../report/model/results.ts';
import { LabError, labFault } from '../../system/errors.ts';
import { openRun } from '../../system/runs.ts';
import { deadline } from '../../system/wait.ts';
import { host, revision } from '../run/provenance.ts';
import { GuestRecord } from './records.ts';

/** On a computer that has nothing else to do a run takes a minute, beside a dozen busy processes ten. */
const guestMs = 40 * 60_000;

/** Something that happened in a guest, with its clock in ns. */
export type GuestEvent = Extract<GuestRecord, { readonly ns: number }>;

/** A run in a guest: its results, the files of its report, and all that happened, in order. */
export type CountedRun = {
  readonly seed: number;
  readonly results: Results;
  readonly files: readonly ExtraFile[];
  readonly events: readonly GuestEvent[];
};

type Ending = Exclude<GuestRecord, GuestEvent>;

const faultOf = (text: string | undefined): 'lab' | 'incomplete' | 'usage' =>
  text === 'incomplete' || text === 'usage' ? text : 'lab';

/** The results that a guest gave. Throws what it said instead. */
const resultsIn = (ending: Ending | undefined, consoleText: string): Extract<Ending, { readonly results: Results }> => {
  if (ending !== undefined && 'results' in ending)
    return { ...ending, results: parse(Results, ending.results, 'the results of the guest') };
  if (ending !== undefined && 'error' in ending)
    throw new LabError(ending.error, { fault: faultOf(ending.fault), next: ending.next });
  throw labFault(`the lab's half ended in the guest without a result\n${consoleText.trimEnd()}`);
};

/** Boots a guest with a seed and runs it to its end; `onEvent` is told what happens meanwhile. */
export const bootCounted = async (
  guest: CountedGuest,
  what: string,
  seed: number,
  onEvent: (event: GuestEvent) => void,
  signal: AbortSignal,
): Promise<CountedRun> => {
  const began = performance.now();
  const started = new Date();
  await using run = await openRun(what);
  const events: GuestEvent[] = [];
  let ending: Ending | undefined;
  await guest.run(
    seed,
    run,
    (text) => {
      const record = parseJson(GuestRecord, text, 'what the guest wrote');
      if ('ns' in record) {
        events.push(record);
        onEvent(record);
        return false;
      }
      ending ??= record;
      return true;
    },
    deadline(guestMs, `the run with seed ${seed}`, signal),
  );
  const consoleText = await guest.consoleText(run.folder);
  const { results, files } = resultsIn(ending, consoleText);
  const lines = events.map((event) => JSON.stringify(event)).join('\n');
  return {
    ...{ seed, events },
    results: {
      ...results,
      options: { deterministic: true },
      inputs: [...results.inputs, ...guest.inputs],
      run: {
        ...results.run,
        ...{ id: run.id, started: started.toISOString(), seconds: (performance.now() - began) / 1000 },
        ...{ host: host(), revision: await revision(), unlocked: [...guest.unlocked] },
        emulator: { arguments: [...guest.command(seed)] },
        logs: [...results.run.logs, { name: 'console', file: 'console.log' }],
      },
    },
    files: [
      ...files
        .filter(({ name }) => name !== 'events.ndjson')
        .map(({ name, content }) => ({ name, content: Buffer.from(content, 'base64') })),
      { name: 'console.log', content: consoleText },
      { name: 'events.ndjson', content: `${lines}\n` },
    ],
  };
};
