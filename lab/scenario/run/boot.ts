import fs from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import pLimit from 'p-limit';
import type { Prepared } from '../../machine/kind.ts';
import { joinSegment } from '../../machine/segment/join.ts';
import { openSegment } from '../../machine/segment/segment.ts';
import { LabError, labFault } from '../../system/errors.ts';
import { beforeRun } from '../board/condition.ts';
import { RunBoard } from '../board/run-board.ts';
import type { RunOptions } from '../options.ts';
import type { Scenario } from '../scenario.ts';
import { allOrFirst, boardNames, type RunBoards } from './boards.ts';
import type { RunContext } from './run-context.ts';

const progressMs = 250;

/** What booting takes of a run: which boards, and who is told of it. */
export type Booting = Pick<RunContext, 'run' | 'steps' | 'emit' | 'note'> & {
  readonly options: Pick<RunOptions, 'kind' | 'machine' | 'signal'> & {
    readonly scenario: Pick<Scenario, 'machines' | 'fresh'>;
  };
};

/** Before there is a worker, whatever goes wrong is the lab's own fault. */
export const asLabFault = <T>(what: string, work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw error instanceof LabError ? error : labFault(`the machine could not be ${what}`, [], error);
  });

/** Passes on what is said, but not more often than a person can read. */
const seldom = (say: (text: string) => void): ((text: string) => void) => {
  let last = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (performance.now() - last < progressMs) return;
    last = performance.now();
    say(text);
  };
};

/** Makes or fetches the parts of the machine, as a step. */
const prepare = ({ options, steps, emit }: Booting): Promise<Prepared> => {
  const { kind, scenario } = options;
  const machine = { ...options.machine, ...(scenario.fresh ? { fresh: true } : {}) };
  const say = seldom((text) => emit({ kind: 'progress', text }));
  return steps.run('prepare the machine', { place: 'lab' }, options.signal, ({ signal }) =>
    asLabFault('prepared', kind.prepare(machine, say, signal)),
  );
};

/** Boots one board as a step of its own, and has it join the segment. */
const bootBoard = async (
  { run, options, steps, note, emit }: Booting,
  boards: RunBoards,
  prepared: Prepared,
  name: string | undefined,
  ends: AbortSignal,
): Promise<void> => {
  const port = name === undefined ? undefined : boards.segment?.portOf(name);
  const folder = name === undefined ? run.folder : path.join(run.folder, name);
  const place = { place: 'board', board: name } as const;
  const step = name === undefined ? 'boot the board' : `boot ${name}`;
  const machine = await steps.run(step, place, ends, async () => {
    if (name !== undefined) {
      await fs.mkdir(folder);
      // interrupted meanwhile: nobody would end what began now
      ends.throwIfAborted();
    }
    const starting = asLabFault('started', prepared.start({ ...run, folder }, ends, note, port));
    // also when this step ends before the machine stands
    boards.onEnd(async () => {
      const started = await starting.catch(() => undefined);
      await started?.[Symbol.asyncDispose]();
    });
    const started = await starting;
    if (started.start !== undefined) emit({ kind: 'board-started', step, start: started.start });
    if (port !== undefined && name !== undefined)
      await asLabFault('joined with the others', joinSegment(started, port, name, ends));
    return started;
  });
  const board = new RunBoard(machine, options.signal, name, port);
  boards.add(board);
  board.condition = await beforeRun(machine);
};

/**
 * Prepares the machine and boots the scenario's boards into `boards`, at once as far as there are processors; several
 * of them are joined by a segment. When one fails, `boards` has those that were booted until then.
 */
export const boot = async (context: Booting, boards: RunBoards): Promise<void> => {
  const { run, options } = context;
  const { signal } = options;
  const prepared = await prepare(context);
  boards.unlocked = prepared.unlocked;
  const names = boardNames(options.scenario.machines);
  const several = names.filter((name) => name !== undefined);
  if (several.length > 0) {
    const segment = await openSegment(run, several, signal);
    boards.segment = segment;
    boards.onEnd(() => segment[Symbol.asyncDispose]());
  }
  const limit = pLimit(Math.max(1, availableParallelism()));
  await allOrFirst(
    names.map((name) => (ends) => limit(() => bootBoard(context, boards, prepared, name, ends))),
    signal,
  );
};
