import path from 'node:path';
import { LabError, labFault } from '../../system/errors.ts';
import { nearest } from '../../system/nearest.ts';
import { apartFrom, type Deadline } from '../../system/wait.ts';
import type { RunBoard } from '../board/run-board.ts';
import type { ExecTarget } from '../targets/targets.ts';
import type { RunContext } from './run-context.ts';

/** The longest that a scenario's own time stands still for a person, in ms. */
const longestMs = 24 * 3_600_000;

/** Opens a shell where a step ran, on the board where that was the lab, and resolves when the person leaves. */
const openShell = async (
  { options: { kind }, run }: RunContext,
  { machine, name }: RunBoard,
  task: string | undefined,
  signal: AbortSignal,
): Promise<void> => {
  const folder = name === undefined ? run.folder : path.join(run.folder, name);
  const opened = await kind.openKept?.(folder, (argv, ends) => machine.exec(argv, { signal: ends }));
  if (opened === undefined) throw labFault(`${kind.name} has no shell that could be opened during a run`);
  await opened.shell(task, signal);
};

/** Stops a run after the step that was named, until the person there has left the shell that is opened. */
export class Pause {
  readonly #context: RunContext;
  readonly #boards: readonly RunBoard[];
  readonly #limit: Deadline;
  #isOver = false;

  /** @param limit what the pause does not count for. */
  constructor(context: RunContext, boards: readonly RunBoard[], limit: Deadline) {
    this.#context = context;
    this.#boards = boards;
    this.#limit = limit;
  }

  /** Pauses when `step`, which has passed, is the one. */
  async after(step: string, where: Partial<Pick<ExecTarget, 'task' | 'board'>>): Promise<void> {
    const { pause } = this.#context.options;
    if (step !== pause || this.#isOver) return;
    this.#isOver = true;
    const board = this.#boards.find(({ name }) => name === where.board) ?? this.#boards[0];
    if (board === undefined) return;
    const began = performance.now();
    const place = where.task ?? board.name ?? 'the board';
    process.stderr.write(`paused after the step '${step}', with a shell in ${place}: leave it to go on\n`);
    const { signal } = this.#limit;
    await apartFrom(this.#limit, longestMs, () => openShell(this.#context, board, where.task, signal));
    signal.throwIfAborted();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    process.stderr.write(`going on after ${seconds} s\n`);
    this.#context.note(`the run was paused for ${seconds} s after the step '${step}', with a shell in ${place}`);
  }

  /** Throws, as incomplete, where the run has gone by without the step that was named. */
  requireDone(): void {
    const { options, steps } = this.#context;
    if (options.pause === undefined || this.#isOver) return;
    const names = steps.done.map(({ name }) => name);
    throw new LabError(`--pause: no step is called '${options.pause}'${nearest(options.pause, names)}`, {
      fault: 'incomplete',
    });
  }
}
