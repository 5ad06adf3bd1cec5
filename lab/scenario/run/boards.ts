import type { Segment } from '../../machine/segment/segment.ts';
import type { RunBoard } from '../board/run-board.ts';

/** The names of a scenario's boards; one that is alone has none. */
export const boardNames = (machines = 1): readonly (string | undefined)[] =>
  machines === 1 ? [undefined] : Array.from({ length: machines }, (_, n) => `board-${n + 1}`);

/** The boards of a run, as far as they have been booted, and what ends them when the run does. */
export class RunBoards implements AsyncDisposable {
  /** In the order of their names, whichever booted first. */
  readonly booted: RunBoard[] = [];
  /** What joins several. */
  segment: Segment | undefined;
  /** Packages whose locked version the mirror no longer had. */
  unlocked: readonly string[] = [];
  readonly #ends = new AsyncDisposableStack();

  add(board: RunBoard): void {
    this.booted.push(board);
    this.booted.sort((a, b) => (a.name ?? '').localeCompare(b.name ?? '', 'en', { numeric: true }));
  }

  /** Has `end` called when the run ends, unless the boards are left running. */
  onEnd(end: () => PromiseLike<void>): void {
    this.#ends.defer(end);
  }

  /** Leaves the boards running when this process ends. Nothing else may be asked of them afterwards. */
  release(): void {
    for (const { machine } of this.booted) machine.release();
    this.segment?.release();
    this.#ends.move();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ends.disposeAsync();
  }
}

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
