/** How often it is looked whether this process runs, and how late that look has to be to count, in ms. */
const [everyMs, leastMs] = [50, 100];

type Stall = { readonly from: number; readonly to: number };

/**
 * Notes when this process could not run though it wanted to: the computer was suspended, stood still as a guest of
 * another one, or was busy with others. What waits meanwhile runs into its timeouts, on the computer's own account.
 */
export class StallWatch implements Disposable {
  readonly #stalls: Stall[] = [];
  readonly #timer = setInterval(() => this.#look(), everyMs).unref();
  #due = performance.now() + everyMs;

  /** For how many milliseconds this process stood still between two moments of the monotonic clock. */
  between(from: number, to: number): number {
    this.#look();
    return this.#stalls.reduce(
      (sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)),
      0,
    );
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#due >= leastMs) this.#stalls.push({ from: this.#due, to: now });
    if (now >= this.#due) this.#due = now + everyMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
