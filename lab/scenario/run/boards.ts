import fs from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import pLimit from 'p-limit';
import type { Prepared } from '../../machine/kind.ts';
import { joinSegment } from '../../machine/segment/join.ts';
import { openSegment, type Segment } from '../../machine/segment/segment.ts';
import { LabError, labFault } from '../../system/errors.ts';
import type { RunFolder } from '../../system/runs.ts';
import { beforeRun } from '../board/condition.ts';
import { RunBoard } from '../board/run-board.ts';
import type { Steps } from './steps.ts';

/** The names of a scenario's boards; one that is alone has none. */
export const boardNames = (machines = 1): readonly (string | undefined)[] =>
  machines === 1 ? [undefined] : Array.from({ length: machines }, (_, n) => `board-${n + 1}`);

/** Before there is a worker, whatever goes wrong is the lab's own fault. */
export const blamingLab = <T>(what: string, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw error instanceof LabError ? error : labFault(`the machine could not be ${what}`, [], error);
  });

/** Every one of several works; the first that fails ends the others, and is thrown when all have ended. */
export const allOrFirst = async <T>(
  works: readonly ((signal: AbortSignal) => Promise<T>)[],
  signal: AbortSignal,
): Promise<readonly T[]> => {
  const failing = new AbortController();
  const ends = AbortSignal.any([signal, failing.signal]);
  let first: { readonly error: unknown } | undefined;
  const settled = await Promise.allSettled(
    works.map((work) =>
      work(ends).catch((error: unknown) => {
        first ??= { error };
        failing.abort(error);
        throw error;
      }),
    ),
  );
  if (first !== undefined) throw first.error;
  return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
};

type Booting = {
  readonly prepared: Prepared;
  readonly run: RunFolder;
  readonly steps: Steps;
  readonly note: (text: string) => void;
  /** Takes what has to be ended when the run does. */
  readonly stack: AsyncDisposableStack;
  /** Whether the machines are left running then. */
  readonly isKept: () => boolean;
  /** Told of each board as soon as it is there. */
  readonly booted: (board: RunBoard) => void;
  readonly signal: AbortSignal;
};

/** Boots one board as a step of its own, and has it join the segment. */
const bootBoard = async (
  { prepared, run, steps, note, stack, isKept, booted, signal }: Booting,
  name: string | undefined,
  segment: Segment | undefined,
  ends: AbortSignal,
): Promise<void> => {
  const port = name === undefined ? undefined : segment?.portOf(name);
  const folder = name === undefined ? run.folder : path.join(run.folder, name);
  const place = { place: 'board', board: name } as const;
  const machine = await steps.run(name === undefined ? 'boot the board' : `boot ${name}`, place, ends, async () => {
    if (name !== undefined) {
      await fs.mkdir(folder);
      // interrupted meanwhile: nobody would end what began now
      ends.throwIfAborted();
    }
    const starting = blamingLab('started', prepared.start({ ...run, folder }, ends, note, port));
    // also when this step ends before the machine stands
    stack.defer(async () => {
      const started = await starting.catch(() => undefined);
      if (!isKept()) await started?.[Symbol.asyncDispose]();
    });
    const started = await starting;
    if (port !== undefined && name !== undefined)
      await blamingLab('joined with the others', joinSegment(started, port, name, ends));
    return started;
  });
  const board = new RunBoard(machine, signal, name, port);
  booted(board);
  board.condition = await beforeRun(machine);
};

/** Boots the boards, at once as far as there are processors; several of them are joined by a segment. */
export const bootBoards = async (
  booting: Booting,
  names: readonly (string | undefined)[],
): Promise<Segment | undefined> => {
  const { run, stack, isKept, signal } = booting;
  const several = names.filter((name) => name !== undefined);
  const segment = several.length === 0 ? undefined : await openSegment(run, several, signal);
  if (segment)
    stack.defer(async () => {
      if (!isKept()) await segment[Symbol.asyncDispose]();
    });
  const limit = pLimit(Math.max(1, availableParallelism()));
  await allOrFirst(
    names.map((name) => (ends) => limit(() => bootBoard(booting, name, segment, ends))),
    signal,
  );
  return segment;
};
