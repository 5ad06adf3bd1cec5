import type { Expectation, Step, Timing, Verdict } from '../../report/model/results.ts';
import { type Fault, LabError, messageOf } from '../../system/errors.ts';
import { abortable } from '../../system/wait.ts';
import type { StepTools } from '../scenario.ts';
import type { Emit } from '../targets/events.ts';
import { createExpect } from '../targets/expect.ts';
import type { ExecTarget } from '../targets/targets.ts';

/** A step that did not pass: which one, and whose fault that is. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
  readonly step: string;
  readonly verdict: Verdict;
  /** Inside of which instance it ran, if it did. */
  readonly task: string | undefined;
  /** On which of several boards it ran. */
  readonly board: string | undefined;
  readonly next: readonly string[];
  constructor(step: string, { task, board }: Partial<ExecTarget>, verdict: Verdict, message: string, cause?: unknown) {
    super(message, { cause });
    this.step = step;
    this.task = task;
    this.board = board;
    this.verdict = verdict;
    this.next = cause instanceof LabError ? cause.next : [];
  }
}

const verdicts: Readonly<Record<Fault, Verdict>> = {
  product: 'failed',
  incomplete: 'incomplete',
  lab: 'error',
  usage: 'error',
};

/** What somebody else's error means for a step: the lab is at fault only where an error says so. */
const blame = (error: unknown, aborted: boolean): Verdict => {
  if (aborted) return 'incomplete';
  return error instanceof LabError ? verdicts[error.fault] : 'failed';
};

/** From so many milliseconds on a standstill of this computer may be why something came too late. */
const maxStalledMs = 1000;

/** For how many milliseconds this computer stood still between two moments of the monotonic clock. */
export type StallTime = (from: number, to: number) => number;

const isConclusive = (error: unknown): boolean => error instanceof LabError && error.conclusive;

/** The steps of a run as they happen. The first that does not pass ends the scenario. */
export class Steps {
  /** Called after each step that has passed, before the scenario goes on. */
  afterEach: (step: string, where: Partial<ExecTarget>) => Promise<void> = async () => {};
  readonly done: Step[] = [];
  readonly timings: Timing[] = [];
  readonly #emit: Emit;
  readonly #start: number;
  readonly #until: string | undefined;
  readonly #stalled: StallTime;

  /** @param start when the run began, on the monotonic clock. */
  constructor(emit: Emit, start: number, stalled: StallTime, until?: string) {
    this.#stalled = stalled;
    this.#emit = emit;
    this.#start = start;
    this.#until = until;
  }

  /** Blames the lab for a step that failed. */
  excuse(name: string): void {
    const at = this.done.findIndex((step) => step.name === name);
    const step = this.done[at];
    if (step) this.done[at] = { ...step, verdict: 'error' };
  }

  /** Runs one step; `tools` without expectations are given by the caller. Throws {@link StepFailed}. */
  async run<T>(
    wanted: string,
    where: Pick<ExecTarget, 'place'> & Partial<ExecTarget>,
    signal: AbortSignal,
    body: (tools: Pick<StepTools, 'expect' | 'signal'>) => Promise<T>,
  ): Promise<T> {
    const { place, board } = where;
    const named = board === undefined ? {} : { board };
    // a loop may say the same again: in a report every step is one of its own
    const before = this.done.filter((step) => step.name === wanted || step.name.startsWith(`${wanted} (`)).length;
    const name = before === 0 ? wanted : `${wanted} (${before + 1})`;
    const expectations: Expectation[] = [];
    const began = performance.now();
    this.#emit({ kind: 'step-started', step: name, place, ...named });
    const end = (verdict: Verdict) => {
      const tookMs = performance.now() - began;
      this.done.push({ name, place, ...named, verdict, expectations });
      this.timings.push({ name, startMs: began - this.#start, ms: tookMs });
      this.#emit({ kind: 'step-ended', step: name, verdict, tookMs });
    };
    const expect = createExpect((expectation) => {
      expectations.push(expectation);
      this.#emit({ kind: 'expectation', step: name, expectation });
    });
    let result: T;
    try {
      signal.throwIfAborted();
      // a body that looks at no signal must not hold up the end
      result = await abortable(body({ expect, signal }), signal);
    } catch (thrown) {
      const error = signal.aborted ? signal.reason : thrown;
      const verdict = blame(error, signal.aborted && !(error instanceof LabError));
      const stalled = this.#stalled(began, performance.now());
      const isExcused = verdict === 'failed' && stalled >= maxStalledMs && !isConclusive(error);
      end(isExcused ? 'incomplete' : verdict);
      if (!isExcused) throw new StepFailed(name, where, verdict, messageOf(error), error);
      const pause = `this computer kept the lab waiting for ${(stalled / 1000).toFixed(1)} s during this step`;
      const reason = `${messageOf(error)}; ${pause}, which may be why: run it again when it is less busy`;
      throw new StepFailed(name, where, 'incomplete', reason, error);
    }
    const failed = expectations.filter(({ verdict }) => verdict === 'failed');
    end(failed.length > 0 ? 'failed' : 'passed');
    if (failed.length > 0)
      throw new StepFailed(
        name,
        where,
        'failed',
        failed.map((one) => `${one.name}: expected ${one.expected}, got ${one.actual}`).join('\n'),
      );
    await this.afterEach(wanted, where);
    if (wanted === this.#until)
      throw new StepFailed(name, where, 'incomplete', `stopped after the step '${name}', as asked`);
    return result;
  }
}
