import { openRun, type RunFolder } from '../../system/runs.ts';
import type { StallWatch } from '../../system/stalls.ts';
import { noObservations, type Observations } from '../observations.ts';
import type { RunOptions } from '../options.ts';
import type { Emit, LabEvent } from '../targets/events.ts';
import { Steps } from './steps.ts';

/** What every phase of a run works with, and what the phases record as they go. */
export type RunContext = {
  readonly options: RunOptions;
  readonly run: RunFolder;
  readonly started: Date;
  /** Seconds since the run began. */
  readonly seconds: () => number;
  readonly steps: Steps;
  readonly observations: Observations;
  readonly events: readonly LabEvent[];
  readonly emit: Emit;
  /** Puts a sentence into the report, once. */
  readonly note: (text: string) => void;
};

/** Opens a run's folder and begins its records. Its opener disposes of the run. */
export const openContext = async (options: RunOptions, stalls: StallWatch): Promise<RunContext> => {
  const { name, kind, until } = options;
  const start = performance.now();
  const started = new Date();
  const events: LabEvent[] = [];
  const emit: Emit = (event) => {
    const entry: LabEvent = { ...event, ms: Math.round(performance.now() - start) };
    events.push(entry);
    options.onEvent(entry);
  };
  const observations = noObservations();
  const run = await (options.openRun ?? openRun)(`${name} on ${kind.name}`);
  emit({ kind: 'run-started', id: run.id, scenario: name, machine: kind.name });
  return {
    ...{ options, run, started, events, emit, observations },
    seconds: () => (performance.now() - start) / 1000,
    steps: new Steps(emit, start, (from, to) => stalls.between(from, to), until),
    note: (text) => {
      if (observations.notes.includes(text)) return;
      observations.notes.push(text);
      emit({ kind: 'note', text });
    },
  };
};
