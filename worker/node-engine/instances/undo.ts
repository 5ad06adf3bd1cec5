import { setTimeout as sleep } from 'node:timers/promises';
import { explain } from '../../system/explain.ts';
import type { Log } from '../../system/log.ts';

type Undo = (signal: AbortSignal) => Promise<void>;
type Step = { readonly name: string; readonly undo: Undo };

/** Pauses between the attempts at one step, in ms. */
const pauses = { first: 500, growth: 2, most: 15_000 };

/** What was done, in order, with how to undo it. */
export class UndoStack {
  readonly #steps: Step[] = [];

  push(name: string, undo: Undo): void {
    this.#steps.push({ name, undo });
  }

  /**
   * Undoes everything, the latest first. A step that fails is tried again until it succeeds: what is said to be gone
   * is. Rejects when `signal` aborts; what is not undone by then stays to be undone.
   */
  async unwind(log: Log, signal: AbortSignal): Promise<void> {
    let pause = pauses.first;
    for (let step = this.#steps.at(-1); step !== undefined; step = this.#steps.at(-1)) {
      try {
        await step.undo(signal);
        this.#steps.pop();
        pause = pauses.first;
      } catch (error) {
        signal.throwIfAborted();
        log.error(`${step.name} could not be undone: ${explain(error)}; trying again in ${pause / 1000} s`);
        await sleep(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
        pause = Math.min(pause * pauses.growth, pauses.most);
      }
    }
  }
}
