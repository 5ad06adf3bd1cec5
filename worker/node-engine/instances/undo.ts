import type { Log } from '../../system/log.ts';
import { explain } from '../explain.ts';

type Undo = (signal: AbortSignal) => Promise<void>;
type Step = { readonly what: string; readonly undo: Undo };

/** What was done, in order, with how to undo it. */
export class UndoStack {
  readonly #steps: Step[] = [];

  push(what: string, undo: Undo): void {
    this.#steps.push({ what, undo });
  }

  /**
   * Undoes everything, the latest first. A step that fails is logged and the others still run. Rejects when `signal`
   * breaks a step off; that one and the earlier ones are left to be undone then.
   */
  async unwind(log: Log, signal: AbortSignal): Promise<void> {
    for (let step = this.#steps.at(-1); step !== undefined; step = this.#steps.at(-1)) {
      try {
        await step.undo(signal);
      } catch (error) {
        signal.throwIfAborted();
        log.error(`${step.what} could not be undone: ${explain(error)}`);
      }
      this.#steps.pop();
    }
  }
}
