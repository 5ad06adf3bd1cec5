import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { CountedGuest } from '../../machine/kind.ts';
import { networkCapabilities } from '../../machine/machine.ts';
import { LabError, usageFault } from '../../system/errors.ts';
import { openRun } from '../../system/runs.ts';
import { allOrFirst } from '../run/boards.ts';
import { asLabFault } from '../run/boot.ts';
import { reasonNotRunnable } from '../run/run.ts';
import type { LabEvent } from '../targets/events.ts';
import { bootCounted, type CountedRun } from './boot.ts';
import { type CountedTask, labEntries } from './image.ts';
import { type Repeated, repeatUntilSure } from './verify.ts';

/** A guest has 1 GB of memory or more. */
const mostAtOnce = 2;

export type CountedOptions = CountedTask & {
  /** How many seeds, from 1. */
  readonly seeds: number;
  /** Runs every seed twice and compares. */
  readonly verify: boolean;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LabEvent) => void;
};

/** One run a seed, in their order, and what the repetitions showed. */
export type CountedOutcome = {
  readonly runs: readonly CountedRun[];
  readonly notes: readonly string[];
  /** The first way in which a repetition differed by more than can be. */
  readonly difference: string | undefined;
};

/** Throws when the scenario cannot run so: as a usage fault where the machine is why, as incomplete where it is itself. */
export const checkCountable = ({ found, kind }: Pick<CountedTask, 'found' | 'kind'>): void => {
  if (kind.prepareCounted === undefined)
    throw usageFault(`${kind.name} cannot count instructions: use --machine virt, or leave out --deterministic`);
  const alone = 'a deterministic run has one';
  const reason = reasonNotRunnable(found.scenario, { ...kind, capabilities: new Set(networkCapabilities), alone });
  if (reason !== undefined)
    throw new LabError(`${found.name} cannot run deterministically on ${kind.name}${reason}`, {
      fault: 'incomplete',
      next: ['leave out --deterministic'],
    });
};

/** Tells what happens as steps of this computer's: each boot is one. */
const teller = (onEvent: CountedOptions['onEvent']) => {
  const start = performance.now();
  const ms = () => Math.round(performance.now() - start);
  return {
    say: (text: string, step?: string) =>
      onEvent({ ms: ms(), kind: 'progress', text, ...(step === undefined ? {} : { step }) }),
    begin: (id: string, scenario: string, machine: string) =>
      onEvent({ ms: ms(), kind: 'run-started', id, scenario, machine }),
    step: async <T>(step: string, work: () => Promise<T>): Promise<T> => {
      const began = performance.now();
      onEvent({ ms: ms(), kind: 'step-started', step, place: 'lab' });
      const end = (verdict: 'passed' | 'error') =>
        onEvent({ ms: ms(), kind: 'step-ended', step, verdict, tookMs: performance.now() - began });
      try {
        const result = await work();
        end('passed');
        return result;
      } catch (error) {
        end('error');
        throw error;
      }
    },
  };
};

const prepareGuest = async (
  task: CountedOptions,
  folder: string,
  say: (text: string) => void,
): Promise<CountedGuest> => {
  const { kind, machine, signal } = task;
  const entries = await labEntries(task, signal);
  const guest = await kind.prepareCounted?.(machine, entries, folder, say, signal);
  if (guest === undefined) throw new Error(`${kind.name} cannot count instructions`);
  return guest;
};

/**
 * Runs a scenario in guests whose instructions are counted, one for each seed: whatever is not under `run` in the results
 * of one seed is the same each time.
 */
export const runCounted = async (options: CountedOptions): Promise<CountedOutcome> => {
  const { found, kind, seeds, verify, signal } = options;
  checkCountable(options);
  const { say, begin, step } = teller(options.onEvent);
  await using run = await openRun(`${found.name} on ${kind.name}, deterministic`);
  begin(run.id, found.name, kind.name);
  const guest = await step('prepare the guest', () => asLabFault('prepared', prepareGuest(options, run.folder, say)));
  const limit = pLimit(Math.min(mostAtOnce, availableParallelism()));
  const boot = (seed: number, which: string) => (ends: AbortSignal) =>
    limit(() =>
      step(`seed ${seed}${which}`, () =>
        bootCounted(
          guest,
          `${found.name} on ${kind.name}, seed ${seed}`,
          seed,
          ({ event }) => {
            if (event.kind === 'step-started') say(`${event['step']}`, `seed ${seed}${which}`);
          },
          ends,
        ),
      ),
    );
  const all = Array.from({ length: seeds }, (_, n) => n + 1);
  const outcomes = await allOrFirst<Repeated>(
    all.map((seed) => async (ends) => {
      if (!verify) return { run: await boot(seed, '')(ends) };
      return await repeatUntilSure((which, signal) => boot(seed, which)(signal), ends);
    }),
    signal,
  );
  return {
    runs: outcomes.map(({ run }) => run),
    notes: outcomes.flatMap(({ note }) => note ?? []),
    difference: outcomes.find(({ difference }) => difference !== undefined)?.difference,
  };
};
