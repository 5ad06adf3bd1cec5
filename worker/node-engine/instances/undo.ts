import type { Log } from '../../system/log.ts';
import { explain } from '../explain.ts';

type Step = { readonly what: string; readonly undo: () => Promise<void> };

/** What was done, in order, with how to undo it. */
export class UndoStack {
  readonly #steps: Step[] = [];

  push(what: string, undo: () => Promise<void>): void {
    this.#steps.push({ what, undo });
  }

  /** Undoes everything, the latest first. A step that fails is logged and the others still run. */
  async unwind(log: Log): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        log.error(`${step.what} could not be undone: ${explain(error)}`);
      }
    }
  }
}
