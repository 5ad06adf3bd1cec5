import type { LinkConditions } from './conditions.ts';
import type { Frame } from './frames.ts';

/** Milliseconds of a limited link's rate that may wait; what comes on top of it is lost, as in a switch's buffer. */
const maxWaitMs = 200;

/** When the link is free for the next frame, and when the last one arrives, in milliseconds. */
export type LaneTimes = { readonly free: number; readonly arrival: number };

/**
 * When a frame arrives that is sent `now`: after those before it, its own time on a link of limited rate, and the
 * delay. Undefined when it is lost: the link is cut, too much waits, or `chance` (0 to 1) is below the loss.
 */
export const arrivalOf = (
  { delayMs = 0, loss = 0, bitsPerSecond, isCut = false }: LinkConditions,
  { free, arrival }: LaneTimes,
  { bytes, now, chance }: { readonly bytes: number; readonly now: number; readonly chance: number },
): LaneTimes | undefined => {
  if (isCut || chance < loss) return undefined;
  const starts = Math.max(now, free);
  if (bitsPerSecond !== undefined && starts - now > maxWaitMs) return undefined;
  const ends = bitsPerSecond === undefined ? now : starts + (bytes * 8000) / bitsPerSecond;
  return { free: ends, arrival: Math.max(arrival, ends + delayMs) };
};

/** One direction of a link: frames arrive at `deliver` in the order in which they were sent. */
export class Lane {
  readonly #deliver: (frame: Frame) => void;
  readonly #random: () => number;
  readonly #waiting: { readonly frame: Frame; readonly at: number }[] = [];
  #conditions: LinkConditions = {};
  #times: LaneTimes = { free: 0, arrival: 0 };
  #timer: NodeJS.Timeout | undefined;
  passed = 0;
  lost = 0;

  /** @param random 0 to 1, for the loss. */
  constructor(deliver: (frame: Frame) => void, random: () => number = Math.random) {
    this.#deliver = deliver;
    this.#random = random;
  }

  /** Changes what the link is like. What is under way arrives as it would have, unless the link is cut. */
  change(conditions: LinkConditions): void {
    this.#conditions = conditions;
    if (!conditions.isCut) return;
    this.lost += this.#waiting.length;
    this.#waiting.length = 0;
    this.#times = { free: 0, arrival: 0 };
  }

  send(frame: Frame): void {
    const now = performance.now();
    const times = arrivalOf(this.#conditions, this.#times, { bytes: frame.length, now, chance: this.#random() });
    if (times === undefined) {
      this.lost += 1;
      return;
    }
    this.#times = times;
    if (times.arrival <= now && this.#waiting.length === 0) {
      this.passed += 1;
      this.#deliver(frame);
      return;
    }
    this.#waiting.push({ frame, at: times.arrival });
    this.#wake();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #wake(): void {
    const [first] = this.#waiting;
    if (this.#timer !== undefined || first === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const due = this.#waiting.findIndex(({ at }) => at > performance.now());
        const arrived = this.#waiting.splice(0, due < 0 ? this.#waiting.length : due);
        this.passed += arrived.length;
        for (const { frame } of arrived) this.#deliver(frame);
        this.#wake();
      },
      Math.max(0, first.at - performance.now()),
    );
  }
}
